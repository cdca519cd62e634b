import { Loader } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import type { Schemas } from '../../../api/client.ts'
import { Notice } from '../../../ui/notice.tsx'
import { Panel } from '../../../ui/page.tsx'
import type { TaskState, Tone } from '../../../ui/status.tsx'
import { isEnded } from '../../../ui/status.tsx'
import { Time } from '../../../ui/time.tsx'
import classes from './result.module.css'

interface Words {
  readonly tone: Tone
  readonly title: string
  readonly text: string
}

const wordsOf: Record<Exclude<TaskState, 'succeeded'>, Words> = {
  scheduled: { tone: 'idle', title: 'It waits for its time', text: 'The result comes here by itself.' },
  queued: { tone: 'idle', title: 'It waits for a worker', text: 'The result comes here by itself; you may leave.' },
  running: { tone: 'info', title: 'It is being computed', text: 'The result comes here by itself.' },
  retrying: {
    tone: 'warn',
    title: 'A try failed, and it is tried again',
    text: 'The result comes here by itself, unless all tries fail.',
  },
  failed: { tone: 'bad', title: 'It could not be computed', text: 'There is no estimate.' },
  timed_out: { tone: 'bad', title: 'It took too long and was ended', text: 'There is no estimate.' },
  cancelled: { tone: 'idle', title: 'It was cancelled', text: 'There is no estimate.' },
  expired: { tone: 'warn', title: 'It was not started in time', text: 'There is no estimate.' },
}

/** A prediction that has no estimate, or none yet: why, and what comes next. */
export const Unfinished = ({ prediction }: { readonly prediction: Schemas['Prediction'] }) => {
  const { state, error, user_id: userId, created_at: created } = prediction
  if (state === 'succeeded') return undefined
  const { tone, title, text } = wordsOf[state]
  return (
    <Panel>
      <div className={classes.stack}>
        <Notice kind={tone} title={title} action={!isEnded(state) && <Loader size={20} aria-hidden="true" />}>
          {text}
          {error && (
            <div>
              {error.message} (<code>{error.code}</code>)
            </div>
          )}
        </Notice>
        <p className={classes.plain}>
          Submitted <Time at={created} isAge />.{' '}
          {isEnded(state) && (
            <Link to="/predict" search={{ person: String(userId) }}>
              Enter the values again
            </Link>
          )}
        </p>
      </div>
    </Panel>
  )
}
