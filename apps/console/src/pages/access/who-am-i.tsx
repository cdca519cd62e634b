import { useQuery } from '@tanstack/react-query'
import { api } from '../../api/client.ts'
import { useSession } from '../../session/session.tsx'
import { Facts } from '../../ui/facts.tsx'
import { Columns, Panel } from '../../ui/page.tsx'

const by: Record<'key' | 'token' | 'session', string> = {
  key: 'an API key',
  token: 'an access token',
  session: 'a session of this browser',
}

/** The caller, and the ways in which browsers can sign in. */
export const WhoAmI = () => {
  const { me } = useSession()
  const { data: methods } = useQuery({
    queryKey: ['sign-in methods'],
    queryFn: async ({ signal }) => (await api.GET('/v1/session/methods', { signal })).data,
  })
  return (
    <Columns>
      <Panel title="Who am I">
        <Facts
          of={[
            ['Name', me.name],
            ['Role', me.role],
            ['Reaches', me.user_id === null ? 'everyone’s data' : `the data of person ${me.user_id} only`],
            ['Signed in with', by[me.method]],
            ['Id in the audit trail', <code>{me.id}</code>],
            ['Reads of people’s data', me.features.audit_reads ? 'are recorded' : 'are not recorded'],
          ]}
        />
      </Panel>
      <Panel title="Ways to sign in">
        <Facts
          of={[
            ['API key', methods ? (methods.api_key ? 'yes' : 'no') : undefined],
            [
              'One-time link',
              methods
                ? methods.link
                  ? 'yes: memoryguard console-link prints one, valid once within 10 minutes'
                  : 'no'
                : undefined,
            ],
            [
              'Organisation (OIDC)',
              methods
                ? methods.oidc
                  ? (methods.oidc_label ?? 'yes')
                  : 'not set up: see OIDC_ISSUER and OIDC_CLIENT_ID in the documentation'
                : undefined,
            ],
          ]}
        />
      </Panel>
    </Columns>
  )
}
