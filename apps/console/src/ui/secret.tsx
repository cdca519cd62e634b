import { Button, Group, Stack, TextInput } from '@mantine/core'
import { useClipboard } from '@mantine/hooks'
import { Dialog } from './dialog.tsx'
import { Icon } from './icon.tsx'
import { Notice } from './notice.tsx'

interface SecretProps {
  readonly title: string
  /** What the text is: "API key". */
  readonly label: string
  readonly value: string
  /** What it is for, and what to do if it is lost. */
  readonly children: string
  readonly onClose: () => void
}

/** A secret that is shown this once. Neither a click beside the dialog nor Escape closes it. */
export const Secret = ({ title, label, value, children, onClose }: SecretProps) => {
  const { copy, copied, error } = useClipboard({ timeout: 3_000 })
  return (
    <Dialog
      onClose={onClose}
      title={title}
      size="lg"
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
    >
      <Stack gap="md">
        <Notice kind="warn" title="This is shown this once">
          {children}
        </Notice>
        <TextInput
          label={label}
          value={value}
          readOnly
          data-autofocus
          autoComplete="off"
          spellCheck={false}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
          onFocus={(event) => event.currentTarget.select()}
        />
        {error !== null && (
          <Notice kind="warn">This browser does not let the page copy. Select the text and copy it yourself.</Notice>
        )}
        <Group justify="flex-end" gap="sm">
          <Button
            variant="default"
            leftSection={<Icon name={copied ? 'check' : 'copy'} size={16} />}
            onClick={() => copy(value)}
          >
            {copied ? 'Copied' : 'Copy'}
          </Button>
          <Button onClick={onClose}>I have stored it</Button>
        </Group>
      </Stack>
    </Dialog>
  )
}
