export type LogLine = Readonly<Record<string, unknown>>

/** Every line of an output of servers, which must be JSON. */
export const parseLogLines = (text: string): readonly LogLine[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LogLine)
