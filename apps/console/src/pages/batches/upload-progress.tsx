import { Button, Group, Progress } from '@mantine/core'
import { useBlocker } from '@tanstack/react-router'
import { formatBytes, formatPercent } from '../../format/numbers.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { Panel } from '../../ui/page.tsx'
import classes from './batches.module.css'

interface UploadProgressProps {
  readonly file: File
  readonly sent: number
  readonly onCancel: () => void
}

/** Asks before an upload is left, which would end it. */
const LeaveDialog = () => {
  const { status, proceed, reset } = useBlocker({ shouldBlockFn: () => true, withResolver: true })
  if (status !== 'blocked') return undefined
  return (
    <Dialog onClose={reset} title="Leave the upload?">
      <p>The file is still being sent. If you leave this page, the upload ends and nothing of it is kept.</p>
      <Group justify="flex-end" gap="sm">
        <Button variant="default" onClick={reset} data-autofocus>
          Stay
        </Button>
        <Button color="red.8" onClick={proceed}>
          Leave and end the upload
        </Button>
      </Group>
    </Dialog>
  )
}

/** How much of a file has been sent. */
export const UploadProgress = ({ file, sent, onCancel }: UploadProgressProps) => {
  const part = file.size === 0 ? 0 : Math.min(sent / file.size, 1)
  const isSent = part >= 1
  return (
    <Panel title={isSent ? 'The service checks the rows' : 'Sending the file'}>
      <div className={classes.stack}>
        <Progress value={part * 100} size="lg" aria-label="Sent" animated={isSent} />
        <div className={classes.file}>
          <span className="mg-numbers">
            {formatBytes(sent)} of {formatBytes(file.size)} sent, {formatPercent(part)}. Stay on this page until it is
            done; then it goes on without you.
          </span>
          <Button variant="default" onClick={onCancel}>
            Cancel the upload
          </Button>
        </div>
      </div>
      <LeaveDialog />
    </Panel>
  )
}
