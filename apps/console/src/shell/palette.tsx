import { Button, Kbd, TextInput } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useMemo, useRef, useState, type KeyboardEvent as ReactKeyboardEvent } from 'react'
import { query } from '../api/client.ts'
import { useSession } from '../session/session.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Icon } from '../ui/icon.tsx'
import { navigation, type NavigationItem } from './navigation.ts'
import { findPlaces, type Place } from './places.ts'
import { isTyping, useSingleKeys } from './single-keys.ts'
import classes from './palette.module.css'

/** Ctrl-K and `/` find pages, tasks, people and models; `g` and a key opens a page; `?` lists the keys. */
export const PaletteButton = () => {
  const [isOpen, palette] = useDisclosure(false)
  const [isHelpOpen, help] = useDisclosure(false)
  const { me, may } = useSession()
  const { areOn } = useSingleKeys()
  const navigate = useNavigate()
  const pages = useMemo(
    () =>
      navigation
        .flatMap(({ items }) => items)
        .filter(({ role, isForBound }) => may(role) && (me.user_id === null || isForBound)),
    [may, me],
  )
  const afterG = useRef(false)
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        palette.open()
        return
      }
      if (!areOn || isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return
      // An open dialog keeps the keys to itself.
      if (document.querySelector('[role="dialog"]')) return
      const page = afterG.current ? pages.find(({ key }) => key === event.key) : undefined
      afterG.current = event.key === 'g'
      if (page) void navigate({ to: page.to })
      else if (event.key === '?') help.open()
      else if (event.key === '/') palette.open()
      else return
      event.preventDefault()
    }
    document.addEventListener('keydown', press)
    return () => document.removeEventListener('keydown', press)
  }, [areOn, pages, navigate, palette, help])
  return (
    <>
      <Button
        variant="default"
        className={classes.button}
        onClick={palette.open}
        leftSection={<Icon name="search" size={16} />}
        rightSection={<Kbd size="xs">Ctrl K</Kbd>}
        justify="space-between"
      >
        Find
      </Button>
      {isOpen && <Palette pages={pages} onClose={palette.close} />}
      {isHelpOpen && <Shortcuts pages={pages} onClose={help.close} />}
    </>
  )
}

const Palette = ({ pages, onClose }: { readonly pages: readonly NavigationItem[]; readonly onClose: () => void }) => {
  const [text, setText] = useState('')
  const [chosen, setChosen] = useState(0)
  const navigate = useNavigate()
  const { me } = useSession()
  const models = query.useQuery('get', '/v1/models', {}, { enabled: me.user_id === null })
  const places = findPlaces(text, pages, me, models.data?.items)
  const go = (place: Place | undefined) => {
    if (!place) return
    onClose()
    void navigate(place.link)
  }
  const press = (event: ReactKeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step !== undefined) {
      event.preventDefault()
      setChosen((now) => (now + step + places.length) % Math.max(places.length, 1))
    }
    if (event.key === 'Enter') go(places[chosen])
  }
  return (
    <Dialog onClose={onClose} withCloseButton={false} padding={0} yOffset="10vh" centered={false} aria-label="Find">
      <TextInput
        aria-label="Find pages, tasks, people and models"
        placeholder="A page, a task id, a person's number, a search"
        value={text}
        onChange={(event) => (setText(event.currentTarget.value), setChosen(0))}
        onKeyDown={press}
        size="md"
        variant="unstyled"
        px="md"
        py={6}
        role="combobox"
        aria-expanded="true"
        aria-controls="places"
        aria-activedescendant={places.length > 0 ? `place-${chosen}` : undefined}
        data-autofocus
        // At once, so that nothing is lost of what is typed after the key that opens it.
        autoFocus
      />
      <div id="places" role="listbox" aria-label="Found" className={classes.places}>
        {places.map((place, index) => (
          <div
            key={place.label}
            id={`place-${index}`}
            role="option"
            aria-selected={index === chosen}
            className={classes.place}
            onPointerMove={() => setChosen(index)}
            onClick={() => go(place)}
          >
            <Icon name={place.icon} />
            {place.label}
          </div>
        ))}
      </div>
    </Dialog>
  )
}

const Shortcuts = ({ pages, onClose }: { readonly pages: readonly NavigationItem[]; readonly onClose: () => void }) => {
  return (
    <Dialog onClose={onClose} title="Keyboard">
      <dl className={classes.keys}>
        <dt>
          <Kbd>Ctrl</Kbd> <Kbd>K</Kbd>, <Kbd>/</Kbd>
        </dt>
        <dd>Find pages, tasks, people, models</dd>
        {pages.map(
          ({ key, label }) =>
            key && (
              <div key={key} className={classes.pair}>
                <dt>
                  <Kbd>g</Kbd> <Kbd>{key}</Kbd>
                </dt>
                <dd>{label}</dd>
              </div>
            ),
        )}
        <dt>
          <Kbd>?</Kbd>
        </dt>
        <dd>This list</dd>
      </dl>
      <p>Single keys can be switched off in the menu of your account.</p>
    </Dialog>
  )
}
