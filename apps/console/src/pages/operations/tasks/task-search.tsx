import { Combobox, PillsInput, useCombobox } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData } from '@tanstack/react-query'
import { useState, type KeyboardEvent } from 'react'
import { query } from '../../../api/client.ts'
import { StatusIcon } from '../../../ui/status.tsx'
import { isWhole, withoutWord, withWords, wordsOf } from './search-words.ts'
import classes from './task-search.module.css'

interface TaskSearchProps {
  /** The search as it stands in the address. */
  readonly q: string
  readonly onSearch: (q: string) => void
}

/** Suggestions are requested after typing has paused for this long, in milliseconds. */
const pauseMs = 120

/** The search as one box: parts that are set are chips, the part that is being written is completed. */
export const TaskSearch = ({ q, onSearch }: TaskSearchProps) => {
  const combobox = useCombobox({ onDropdownClose: () => combobox.resetSelectedOption() })
  const [text, setText] = useState('')
  const words = wordsOf(q)
  const [typed] = useDebouncedValue(text, pauseMs)
  const { data } = query.useQuery(
    'get',
    '/v1/tasks/suggestions',
    { params: { query: { q: [...words, typed].join(' ') } } },
    { placeholderData: keepPreviousData },
  )
  const unknown = (data?.unknown ?? []).filter(({ position, word }) => words[position - 1] === word)
  const used = new Set(words.map((word) => word.slice(0, word.indexOf(':') + 1)))
  const options = (data?.items ?? []).filter(({ text: option }) => option !== text && !used.has(option))

  const commit = (more: string) => {
    setText('')
    combobox.closeDropdown()
    if (more.trim() !== '') onSearch(withWords(q, more))
  }
  const choose = (option: string) => {
    if (!option.endsWith(':')) return commit(option)
    setText(option)
    combobox.resetSelectedOption()
  }
  const write = (value: string) => {
    if (/\S\s$/.test(value) && isWhole(value)) return commit(value)
    setText(value)
    combobox.openDropdown()
    combobox.resetSelectedOption()
  }
  const press = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (!combobox.dropdownOpened || combobox.getSelectedOptionIndex() < 0)) {
      event.preventDefault()
      commit(text)
    }
    if (event.key === 'Backspace' && text === '' && words.length > 0) {
      event.preventDefault()
      setText(words.at(-1) ?? '')
      onSearch(withoutWord(q, words.length - 1))
    }
  }

  return (
    <div className={classes.search}>
      <Combobox store={combobox} onOptionSubmit={choose} withinPortal={false} shadow="md">
        <Combobox.DropdownTarget>
          <PillsInput size="md" className={classes.box} onClick={() => combobox.openDropdown()}>
            <div className={classes.inside}>
              <ul className={classes.words} aria-label="Parts of the search">
                {words.map((word, at) => (
                  <li key={`${word} ${at}`} className={classes.word} data-unknown={isUnknown(unknown, at)}>
                    {isUnknown(unknown, at) && <StatusIcon tone="warn" size={13} />}
                    <span>{word}</span>
                    <button
                      type="button"
                      className={classes.remove}
                      aria-label={`Remove ${word}`}
                      onClick={(event) => (event.stopPropagation(), onSearch(withoutWord(q, at)))}
                    >
                      <svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
                        <path d="M3 3l6 6 M9 3l-6 6" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" />
                      </svg>
                    </button>
                  </li>
                ))}
              </ul>
              <Combobox.EventsTarget withExpandedAttribute>
                <PillsInput.Field
                  aria-label="Search tasks"
                  placeholder={words.length > 0 ? 'and …' : 'state:failed  queue:batch  since:24h, or an id'}
                  value={text}
                  autoComplete="off"
                  spellCheck={false}
                  onChange={(event) => write(event.currentTarget.value)}
                  onFocus={() => combobox.openDropdown()}
                  onBlur={() => combobox.closeDropdown()}
                  onKeyDown={press}
                />
              </Combobox.EventsTarget>
            </div>
          </PillsInput>
        </Combobox.DropdownTarget>
        <Combobox.Dropdown hidden={options.length === 0}>
          <Combobox.Options aria-label="How the search may go on" mah={320} className={classes.options}>
            {options.map(({ text: option, about }) => (
              <Combobox.Option key={option} value={option}>
                <code>{option}</code> <span className={classes.about}>{about}</span>
              </Combobox.Option>
            ))}
          </Combobox.Options>
        </Combobox.Dropdown>
      </Combobox>
      {unknown.length > 0 && (
        <div className={classes.unknown} role="status">
          {unknown.map(({ position, word, message }) => (
            <div key={position}>
              <StatusIcon tone="warn" size={13} /> <code>{word}</code> {message}.
            </div>
          ))}
        </div>
      )}
    </div>
  )
}

const isUnknown = (unknown: readonly { readonly position: number }[], at: number): boolean =>
  unknown.some(({ position }) => position === at + 1)
