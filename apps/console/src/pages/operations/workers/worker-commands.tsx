import { useMutation } from '@tanstack/react-query'
import { createContext, use, useMemo, useState, type ReactNode } from 'react'
import { api, type Schemas } from '../../../api/client.ts'
import { problemOf } from '../../../api/problem.ts'
import { useRefresh } from '../../../api/refresh.ts'
import { useSession } from '../../../session/session.tsx'
import { Failure } from '../../../ui/failure.tsx'
import { Notice } from '../../../ui/notice.tsx'
import classes from './worker.module.css'
import { isThere, replyOf, type CommandName } from './worker-words.ts'

type Worker = Schemas['Worker']
type Args = Readonly<Record<string, unknown>>

interface WorkerCommands {
  /** Whether the caller may send commands, and the worker takes them. */
  readonly canSend: boolean
  readonly isPending: boolean
  /** What came of the last command. */
  readonly outcome: ReactNode
  /** Sends a command; what came of it is said above the page. */
  readonly send: (command: CommandName, args?: Args) => void
  /** The same for dialogs, which say themselves what went wrong. */
  readonly sendAndWait: (command: CommandName, args?: Args) => Promise<unknown>
}

const CommandContext = createContext<WorkerCommands | undefined>(undefined)

/** Commands to the worker of the page. */
export const useCommands = (): WorkerCommands => {
  const value = use(CommandContext)
  if (!value) throw new Error('useCommands stands outside of WorkerCommandArea')
  return value
}

/** Sends commands to a worker, and says what it responded or why it refused. */
export const WorkerCommandArea = ({ worker, children }: { readonly worker: Worker; readonly children: ReactNode }) => {
  const { may } = useSession()
  const refresh = useRefresh()
  const [outcome, setOutcome] = useState<ReactNode>()
  const { mutate, mutateAsync, isPending } = useMutation({
    mutationFn: async ({ command, args }: { readonly command: CommandName; readonly args: Args }) =>
      (
        await api.POST('/v1/workers/{name}/{command}', {
          params: { path: { name: worker.name, command } },
          body: args,
        })
      ).data,
    onMutate: () => setOutcome(undefined),
    onSuccess: (reply) => {
      if (reply) setOutcome(<Notice kind={reply.acknowledged ? 'ok' : 'warn'}>{replyOf(reply)}</Notice>)
      void refresh('/v1/workers/{name}')
    },
    onError: (error) =>
      setOutcome(
        problemOf(error).status === 409 ? (
          <Notice kind="warn" title="The worker is gone">
            It has stopped meanwhile, so the command was not sent. Nothing was changed.
          </Notice>
        ) : (
          <Failure error={error} />
        ),
      ),
  })
  const value = useMemo<WorkerCommands>(
    () => ({
      canSend: may('operator') && isThere(worker),
      isPending,
      outcome,
      send: (command, args = {}) => mutate({ command, args }),
      sendAndWait: (command, args = {}) => mutateAsync({ command, args }),
    }),
    [may, worker, isPending, outcome, mutate, mutateAsync],
  )
  return <CommandContext value={value}>{children}</CommandContext>
}

/** What came of the last command, in words. */
export const CommandOutcome = () => (
  <div role="status" className={classes.outcome}>
    {useCommands().outcome}
  </div>
)
