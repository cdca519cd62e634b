const barWidth = 24
/** Without a terminal a line is written for each further tenth. */
const plainStep = 10

/** Where progress goes: standard error, so that standard output stays readable for scripts. */
export interface ProgressOutput {
  readonly isTTY?: boolean
  write(text: string): unknown
}

/** Shows how far something is: a bar on a terminal, plain lines elsewhere. */
export class Progress {
  private stage = ''
  private lastTenth = -1
  private hasBar = false

  constructor(private readonly output: ProgressOutput) {}

  /** `percent` from 0 to 100; `etaSeconds` null if it is unknown. */
  show(stage: string, percent: number, etaSeconds: number | null): void {
    const eta = etaSeconds === null || percent >= 100 ? '' : `, ${formatSeconds(etaSeconds)} left`
    const text = `${stage} ${Math.floor(percent)} %${eta}`
    if (this.output.isTTY) {
      const filled = Math.round((barWidth * percent) / 100)
      // Back to the start of the line, and clear what was there.
      this.output.write(`\r\u001b[2K[${'#'.repeat(filled)}${' '.repeat(barWidth - filled)}] ${text}`)
      this.hasBar = true
      return
    }
    const tenth = Math.floor(percent / plainStep)
    if (stage === this.stage && tenth === this.lastTenth) return
    this.stage = stage
    this.lastTenth = tenth
    this.output.write(`${text}\n`)
  }

  /** Ends the line of the bar. */
  end(): void {
    if (this.hasBar) this.output.write('\n')
    this.hasBar = false
  }
}

/** e.g. `45 s`, `3 min 20 s` */
export const formatSeconds = (seconds: number): string => {
  const whole = Math.ceil(seconds)
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}
