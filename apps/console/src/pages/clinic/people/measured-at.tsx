import { formatDay } from '../../../format/times.ts'
import { Time } from '../../../ui/time.tsx'

/** When something was measured. A day that was given without a time is stored as its midnight in UTC. */
export const MeasuredAt = ({ at }: { readonly at: string }) =>
  at.endsWith('T00:00:00.000Z') ? (
    <time dateTime={at} title={at} className="mg-numbers">
      {formatDay(at, 'utc')}
    </time>
  ) : (
    <Time at={at} />
  )
