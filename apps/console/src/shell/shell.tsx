import { ActionIcon, Drawer } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { Link, Outlet, useRouterState } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'
import { useLostSince } from '../api/connection.ts'
import { useSession } from '../session/session.tsx'
import { useClock } from '../ui/clock.ts'
import { Icon } from '../ui/icon.tsx'
import { Notice } from '../ui/notice.tsx'
import { formatAge } from '../format/times.ts'
import { AccountMenu } from './account-menu.tsx'
import { navigation } from './navigation.ts'
import { PaletteButton } from './palette.tsx'
import classes from './shell.module.css'

const Brand = () => (
  <Link to="/" className={classes.brand}>
    <img src="./icon.svg" alt="" width={28} height={28} />
    MemoryGuard
  </Link>
)

const Navigation = ({ onNavigate }: { readonly onNavigate?: () => void }) => {
  const { me, may } = useSession()
  const groups = navigation
    .map((group) => ({
      ...group,
      items: group.items.filter(({ role, isForBound }) => may(role) && (me.user_id === null || isForBound)),
    }))
    .filter(({ items }) => items.length > 0)
  return (
    <nav className={classes.navigation} aria-label="Pages">
      {groups.map(({ title, items }) => (
        <div key={title} className={classes.group}>
          <div className={classes.groupTitle}>{title}</div>
          {items.map(({ to, label, icon }) => (
            <Link
              key={to}
              to={to}
              className={classes.link}
              activeProps={{ 'data-active': true, 'aria-current': 'page' }}
              activeOptions={{ includeSearch: false }}
              onClick={() => onNavigate?.()}
            >
              <Icon name={icon} />
              {label}
            </Link>
          ))}
        </div>
      ))}
      <p className={classes.disclaimer}>Decision support, not diagnosis.</p>
    </nav>
  )
}

/** Says that the server is away, and since when what is shown is as it was. */
const ConnectionLine = () => {
  const since = useLostSince()
  const now = useClock(since !== undefined)
  if (since === undefined) return undefined
  return (
    <div className={classes.connection}>
      <Notice kind="bad" title="No connection to the server">
        What you see was read before it was lost ({formatAge(new Date(since), now)}). This page tries again by itself;
        nothing you typed is lost.
      </Notice>
    </div>
  )
}

/** The frame of the console: navigation, search, account, and the page. */
export const Shell = () => {
  const [isOpen, { open, close }] = useDisclosure(false)
  const path = useRouterState({ select: ({ location }) => location.pathname })
  const main = useRef<HTMLElement>(null)
  const isFirst = useRef(true)
  useEffect(() => {
    // After a move to another page, the keyboard goes on at its beginning; not at the first page of all.
    if (isFirst.current) isFirst.current = false
    else main.current?.focus({ preventScroll: true })
  }, [path])
  return (
    <div className={classes.shell}>
      <a
        href={`${path}#main`}
        className={classes.skip}
        onClick={(event) => (event.preventDefault(), main.current?.focus())}
      >
        Skip to the page
      </a>
      <aside className={classes.side}>
        <Brand />
        <Navigation />
      </aside>
      <div className={classes.content}>
        <header className={classes.header}>
          <ActionIcon
            variant="subtle"
            size="lg"
            className={classes.menu}
            aria-label="Open the navigation"
            onClick={open}
          >
            <Icon name="menu" size={22} />
          </ActionIcon>
          <PaletteButton />
          <AccountMenu />
        </header>
        <ConnectionLine />
        <main ref={main} tabIndex={-1} className={classes.main}>
          <Outlet />
        </main>
      </div>
      <Drawer
        opened={isOpen}
        onClose={close}
        size={280}
        title={<Brand />}
        closeButtonProps={{ 'aria-label': 'Close the navigation' }}
      >
        <Navigation onNavigate={close} />
      </Drawer>
    </div>
  )
}
