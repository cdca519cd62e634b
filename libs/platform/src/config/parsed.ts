/** What a parser has read, or what is wrong with the text. */
export type Parsed<Result> = Result | Fault

/** What is wrong with a text, as the end of a sentence that begins with the variable's name. */
export interface Fault {
  readonly fault: string
}

export const fault = (words: string): Fault => ({ fault: words })
