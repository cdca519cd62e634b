import { Tabs } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import { useSession } from '../../session/session.tsx'
import { Page } from '../../ui/page.tsx'
import { Keys } from './keys.tsx'
import { Roles } from './roles.tsx'
import { Sessions } from './sessions.tsx'
import { accessTabs, type AccessTab } from './tabs.ts'
import { WhoAmI } from './who-am-i.tsx'

const route = getRouteApi('/access')

const words: Record<AccessTab, string> = {
  me: 'Who am I',
  keys: 'API keys',
  sessions: 'Sessions',
  roles: 'Roles',
}

/** Who may do what: keys, sessions and roles. */
export const AccessPage = () => {
  const { tab } = route.useSearch()
  const navigate = route.useNavigate()
  const { may } = useSession()
  const tabs = accessTabs.filter((each) => each !== 'keys' || may('admin'))
  const shown = tabs.find((each) => each === tab) ?? (may('admin') ? 'keys' : 'me')
  return (
    <Page title="Access" lead="Who may use the service, and what they may do.">
      <Tabs
        value={shown}
        onChange={(value) => void navigate({ search: { tab: tabs.find((each) => each === value) } })}
        keepMounted={false}
      >
        <Tabs.List mb="lg" aria-label="Access">
          {tabs.map((each) => (
            <Tabs.Tab key={each} value={each}>
              {words[each]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="me">
          <WhoAmI />
        </Tabs.Panel>
        <Tabs.Panel value="keys">
          <Keys />
        </Tabs.Panel>
        <Tabs.Panel value="sessions">
          <Sessions />
        </Tabs.Panel>
        <Tabs.Panel value="roles">
          <Roles />
        </Tabs.Panel>
      </Tabs>
    </Page>
  )
}
