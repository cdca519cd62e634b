import { useZone } from '../format/zone.tsx'
import { formatAge, formatTime } from '../format/times.ts'
import { useClock } from './clock.ts'

interface TimeProps {
  readonly at: string | null | undefined
  /** How long ago it was, with the time itself as a tooltip. */
  readonly isAge?: boolean
}

/** A time in the chosen zone, with the ISO 8601 form on hover. */
export const Time = ({ at, isAge = false }: TimeProps) => {
  const { zone } = useZone()
  const now = useClock(isAge)
  if (at === null || at === undefined) return <span aria-label="none">-</span>
  const full = formatTime(at, zone)
  return (
    <time dateTime={at} title={isAge ? `${full} (${at})` : at} className="mg-numbers">
      {isAge ? formatAge(at, now) : full}
    </time>
  )
}
