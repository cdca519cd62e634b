import classes from './sparkline.module.css'

/** Counts over equal parts of a time as bars. */
export const Sparkline = ({ counts, words }: { readonly counts: readonly number[]; readonly words: string }) => {
  const most = Math.max(...counts, 1)
  const [width, height] = [4, 24]
  return (
    <svg
      className={classes.spark}
      role="img"
      aria-label={words}
      width={counts.length * (width + 1)}
      height={height}
      viewBox={`0 0 ${counts.length * (width + 1)} ${height}`}
    >
      <title>{words}</title>
      {counts.map((count, at) => {
        const size = count === 0 ? 1 : Math.max((count / most) * height, 3)
        return (
          <rect key={at} x={at * (width + 1)} y={height - size} width={width} height={size} data-none={count === 0} />
        )
      })}
    </svg>
  )
}
