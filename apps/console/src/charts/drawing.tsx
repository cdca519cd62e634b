import type { RefCallback, SVGProps } from 'react'
import classes from './chart.module.css'

interface DrawingProps extends SVGProps<SVGSVGElement> {
  /** `ref` of `useElementSize`, whose width the chart is drawn for. */
  readonly frame: RefCallback<HTMLDivElement | null>
  /** In pixels; nothing is drawn before it is known. */
  readonly width: number
  readonly height: number
  /** What the chart shows, in words. */
  readonly label: string
}

/** Where a chart is drawn: as wide as its place, and for screen readers one picture with a label. */
export const Drawing = ({ frame, width, height, label, ...rest }: DrawingProps) => (
  <div ref={frame} style={{ height }}>
    {width > 0 && (
      <svg width={width} height={height} className={classes.chart} role="img" aria-label={label} {...rest} />
    )}
  </div>
)
