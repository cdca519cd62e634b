import { Button } from '@mantine/core'
import { problemOf } from '../api/problem.ts'
import { Notice } from './notice.tsx'

/** What to do, where the API's own words do not say it. */
const titleOf = (status: number): string => {
  if (status === 0) return 'No connection'
  if (status === 403) return 'You may not see this'
  if (status === 404) return 'There is no such thing here'
  if (status === 429) return 'Too many requests'
  if (status >= 500) return 'The service cannot respond just now'
  return 'This did not work'
}

interface FailureProps {
  readonly error: unknown
  readonly onRetry?: () => void
}

/** An error in words: what happened, what to do, and the id of the request, for whoever looks into it. */
export const Failure = ({ error, onRetry }: FailureProps) => {
  const { status, message, faults, requestId } = problemOf(error)
  const isTheirs = status > 0 && status < 500
  return (
    <Notice
      kind="bad"
      title={titleOf(status)}
      action={
        onRetry &&
        !isTheirs && (
          <Button size="xs" variant="default" onClick={onRetry}>
            Try again
          </Button>
        )
      }
    >
      {/* Each fault of the input says more than that there are some. */}
      {faults.length === 0 && <div>{message}</div>}
      {faults.length > 0 && (
        <ul>
          {faults.map(({ pointer, message: fault }) => (
            <li key={pointer + fault}>
              {pointer && <code>{pointer.slice(1)}</code>} {fault}
            </li>
          ))}
        </ul>
      )}
      {requestId !== undefined && (
        <div>
          Request <code>{requestId}</code>
        </div>
      )}
    </Notice>
  )
}
