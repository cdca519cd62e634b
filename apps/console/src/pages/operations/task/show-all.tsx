import { Button } from '@mantine/core'

/** Opens what is folded. */
export const ShowAll = ({ words, onClick }: { readonly words: string; readonly onClick: () => void }) => (
  <Button variant="default" size="xs" m="sm" onClick={onClick}>
    {words}
  </Button>
)
