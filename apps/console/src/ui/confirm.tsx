import { Button, Group, Stack, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState, type ReactNode } from 'react'
import { Dialog } from './dialog.tsx'
import { Failure } from './failure.tsx'

interface ConfirmProps {
  /** What will be done, and to what: "Purge the queue batch". */
  readonly title: string
  /** What it does, with numbers: "Cancels 1,204 waiting tasks; 8 running go on." */
  readonly children: ReactNode
  /** The verb alone: "Purge". */
  readonly verb: string
  /** Has to be typed, where what is lost does not come back. */
  readonly typedName?: string
  readonly isDangerous?: boolean
  readonly run: () => Promise<unknown>
  readonly onClose: () => void
  /** Called after it was done; by default the dialog closes. */
  readonly onDone?: () => void
}

/** Asks before something is done. Neither Enter nor anything that happens on the page confirms it. */
export const Confirm = ({
  title,
  children,
  verb,
  typedName,
  isDangerous = false,
  run,
  onClose,
  onDone,
}: ConfirmProps) => {
  const [typed, setTyped] = useState('')
  const action = useMutation({ mutationFn: run, onSuccess: onDone ?? onClose })
  return (
    <Dialog onClose={onClose} title={title}>
      <Stack gap="md">
        <div>{children}</div>
        {typedName !== undefined && (
          <TextInput
            label={
              <>
                Type <b>{typedName}</b> to confirm
              </>
            }
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            autoComplete="off"
            data-autofocus
          />
        )}
        {action.isError && <Failure error={action.error} />}
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onClose} {...(typedName === undefined && { 'data-autofocus': true })}>
            Cancel
          </Button>
          <Button
            {...(isDangerous && { color: 'red.8' })}
            loading={action.isPending}
            disabled={typedName !== undefined && typed !== typedName}
            onClick={() => action.mutate()}
          >
            {verb}
          </Button>
        </Group>
      </Stack>
    </Dialog>
  )
}
