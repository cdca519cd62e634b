import { ActionIcon, Tooltip } from '@mantine/core'
import { useClipboard } from '@mantine/hooks'
import { Icon } from './icon.tsx'

/** Copies text. */
export const Copy = ({ text, label = 'Copy' }: { readonly text: string; readonly label?: string }) => {
  const { copy, copied } = useClipboard({ timeout: 1_500 })
  return (
    <Tooltip label={copied ? 'Copied' : label}>
      <ActionIcon variant="subtle" size="sm" aria-label={copied ? 'Copied' : label} onClick={() => copy(text)}>
        <Icon name={copied ? 'check' : 'copy'} size={14} />
      </ActionIcon>
    </Tooltip>
  )
}

/** An id, short, with the whole of it to copy. */
export const Id = ({ id, isWhole = false }: { readonly id: string; readonly isWhole?: boolean }) => (
  <span>
    <code title={id}>{isWhole ? id : `${id.slice(0, 8)}…${id.slice(-4)}`}</code> <Copy text={id} label="Copy the id" />
  </span>
)
