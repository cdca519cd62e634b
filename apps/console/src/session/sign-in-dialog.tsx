import { Stack, Text } from '@mantine/core'
import { Dialog } from '../ui/dialog.tsx'
import { SignInForm } from './sign-in-form.tsx'

/** Over the page of a session that has ended: what was typed there stays. */
export const SignInDialog = ({ onSignedIn }: { readonly onSignedIn: () => Promise<unknown> | void }) => (
  <Dialog onClose={() => undefined} withCloseButton={false} closeOnEscape={false} title="Sign in again">
    <Stack gap="md">
      <Text size="sm">Your session has ended. What you typed is still on the page behind this.</Text>
      <SignInForm onSignedIn={onSignedIn} mayLeave={false} />
    </Stack>
  </Dialog>
)
