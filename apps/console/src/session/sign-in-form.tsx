import { Button, Divider, PasswordInput, Stack, Text } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { api, basePath } from '../api/client.ts'
import { problemOf } from '../api/problem.ts'
import { Notice } from '../ui/notice.tsx'

interface SignInFormProps {
  readonly onSignedIn: () => Promise<unknown> | void
  /** Whether the ways that leave this page are offered; they would lose what was typed. */
  readonly mayLeave: boolean
}

const reasonOf = (error: unknown): string => {
  const { status, message } = problemOf(error)
  return status === 401 ? 'This key is not valid: it may be mistyped, revoked or expired.' : message
}

/** Signs in with an API key, or leads to the organisation's sign-in. */
export const SignInForm = ({ onSignedIn, mayLeave }: SignInFormProps) => {
  const [key, setKey] = useState('')
  const { data: methods } = useQuery({
    queryKey: ['sign-in methods'],
    queryFn: async ({ signal }) => (await api.GET('/v1/session/methods', { signal })).data,
  })
  const signIn = useMutation({
    mutationFn: async () => {
      await api.POST('/v1/session', { body: { api_key: key.trim() } })
      await onSignedIn()
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    signIn.mutate()
  }
  const returnTo = location.pathname.slice(basePath.length) + location.search
  return (
    <Stack gap="md">
      {methods?.oidc && mayLeave && (
        <>
          <Button
            component="a"
            href={`${basePath}/v1/session/oidc?return_to=${encodeURIComponent(returnTo)}`}
            size="md"
          >
            Sign in with your organisation
          </Button>
          <Divider label="or with a key" />
        </>
      )}
      <form onSubmit={submit}>
        <Stack gap="md">
          <PasswordInput
            label="API key"
            description="It begins with mg_. An administrator creates keys."
            value={key}
            onChange={(event) => setKey(event.currentTarget.value)}
            autoComplete="current-password"
            name="api-key"
            required
            withAsterisk={false}
            error={signIn.isError && reasonOf(signIn.error)}
            visibilityToggleButtonProps={{ 'aria-label': 'Show the key' }}
          />
          <Button
            type="submit"
            loading={signIn.isPending}
            disabled={key.trim() === ''}
            size="md"
            variant={methods?.oidc && mayLeave ? 'default' : 'filled'}
          >
            Sign in
          </Button>
        </Stack>
      </form>
      {!mayLeave && methods?.oidc && (
        <Notice kind="info">
          To sign in with your organisation instead,{' '}
          <a href={basePath + '/'} target="_blank" rel="noreferrer">
            do it in another tab
          </a>{' '}
          and come back.
        </Notice>
      )}
      <Text size="sm" c="dimmed">
        With access to the server, <code>memoryguard console-link</code> prints a link that signs in once.
      </Text>
    </Stack>
  )
}
