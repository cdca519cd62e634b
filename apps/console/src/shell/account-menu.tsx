import { Anchor, Button, Popover, SegmentedControl, Stack, Switch, Text, useMantineColorScheme } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { basePath } from '../api/client.ts'
import { useZone } from '../format/zone.tsx'
import { useSession } from '../session/session.tsx'
import { Failure } from '../ui/failure.tsx'
import { Icon } from '../ui/icon.tsx'
import { useSingleKeys } from './single-keys.ts'
import classes from './shell.module.css'

/** Who is signed in, how the console looks, and the way out. */
export const AccountMenu = () => {
  const { me, signOut } = useSession()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const { zone, setZone } = useZone()
  const { areOn, setOn } = useSingleKeys()
  const leaving = useMutation({ mutationFn: signOut })
  return (
    <Popover position="bottom-end" width={280} trapFocus withinPortal>
      <Popover.Target>
        <Button variant="default" leftSection={<Icon name="person" />} maw={220}>
          <span className={classes.name}>{me.name}</span>
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label="Account">
        <Stack gap="sm">
          <div>
            <Text size="sm" fw={600}>
              {me.name}
            </Text>
            <Text size="sm" c="dimmed">
              {me.role}
              {me.user_id !== null && `, for person ${me.user_id} alone`}
            </Text>
          </div>
          <SegmentedControl
            size="xs"
            aria-label="Colours"
            value={colorScheme}
            onChange={(value) => setColorScheme(value)}
            data={[
              { value: 'light', label: 'Light' },
              { value: 'dark', label: 'Dark' },
              { value: 'auto', label: 'As the system' },
            ]}
          />
          <SegmentedControl
            size="xs"
            aria-label="Times"
            value={zone}
            onChange={(value) => setZone(value)}
            data={[
              { value: 'local', label: 'Local times' },
              { value: 'utc', label: 'UTC' },
            ]}
          />
          <Switch
            size="sm"
            label="Single keys as shortcuts"
            checked={areOn}
            onChange={(event) => setOn(event.currentTarget.checked)}
          />
          <Anchor href={`${basePath}/docs`} target="_blank" rel="noreferrer" size="sm">
            API documentation
          </Anchor>
          {leaving.isError && <Failure error={leaving.error} />}
          <Button variant="default" size="xs" loading={leaving.isPending} onClick={() => leaving.mutate()}>
            Sign out
          </Button>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  )
}
