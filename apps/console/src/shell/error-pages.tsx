import { Button } from '@mantine/core'
import { Link, type ErrorComponentProps } from '@tanstack/react-router'
import { Empty } from '../ui/empty.tsx'
import { Failure } from '../ui/failure.tsx'
import { Page, Panel } from '../ui/page.tsx'

export const NotFoundPage = () => (
  <Page title="Page not found">
    <Panel>
      <Empty title="There is no page at this address" action={<Link to="/">Go to the start page</Link>}>
        The link may be mistyped, or what it led to has been removed.
      </Empty>
    </Panel>
  </Page>
)

/** In the place of a page that could not be drawn. */
export const CrashPage = ({ error, reset }: ErrorComponentProps) => (
  <Page title="Something went wrong">
    <Panel>
      <Failure error={error} />
      <Button mt="md" variant="default" onClick={reset}>
        Try again
      </Button>
    </Panel>
  </Page>
)
