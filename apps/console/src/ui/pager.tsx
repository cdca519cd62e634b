import { Button, Group } from '@mantine/core'

interface PagerProps {
  /** Cursor of the page that is shown, as it stands in the address. */
  readonly cursor: string | undefined
  readonly nextCursor: string | null | undefined
  /** Puts the cursor of another page into the address; the first page has none. */
  readonly onMove: (cursor: string | undefined) => void
}

/** Moves through a list that the server cuts into pages. The browser's back button moves back. */
export const Pager = ({ cursor, nextCursor, onMove }: PagerProps) =>
  cursor === undefined && !nextCursor ? undefined : (
    <Group justify="flex-end" gap="sm" p="sm">
      <Button variant="default" size="xs" disabled={cursor === undefined} onClick={() => onMove(undefined)}>
        First page
      </Button>
      <Button variant="default" size="xs" disabled={!nextCursor} onClick={() => onMove(nextCursor ?? undefined)}>
        Next page
      </Button>
    </Group>
  )
