import type { NavigateOptions } from '@tanstack/react-router'
import { isUuid } from '../pages/operations/tasks/search-words.ts'
import type { Me } from '../session/session.tsx'
import type { IconName } from '../ui/icon.tsx'
import type { NavigationItem } from './navigation.ts'

/** Something that can be gone to. */
export interface Place {
  readonly label: string
  readonly icon: IconName
  readonly link: NavigateOptions
}

/** A model that may be gone to. */
export interface PlaceOfModel {
  readonly name: string
  readonly version: string
}

/** Models that are offered at most. */
const mostModels = 5

const at = (label: string, icon: IconName, to: string, search = {}): Place => ({
  label,
  icon,
  link: { to, search } as NavigateOptions,
})

/** Pages whose name has the text, models whose name has it, and what the text may be the id of. */
export const findPlaces = (
  text: string,
  pages: readonly NavigationItem[],
  me: Me,
  models: readonly PlaceOfModel[] = [],
): readonly Place[] => {
  const typed = text.trim()
  const wanted = typed.toLowerCase()
  const found = pages
    .filter(({ label }) => label.toLowerCase().includes(wanted))
    .map(({ to, label, icon }) => at(label, icon, to))
  if (typed === '' || me.user_id !== null) return found
  const ids = isUuid(typed) ? [at('Open the task', 'tasks', `/tasks/${wanted}`)] : []
  const numbers = /^\d{1,15}$/.test(typed)
    ? [
        at(`Person ${typed}`, 'person', `/people/${typed}`),
        at(`Prediction ${typed}`, 'predict', `/predictions/${typed}`),
      ]
    : []
  const ofModels = models
    .filter(({ name, version }) => `${name}@${version}`.toLowerCase().includes(wanted))
    .slice(0, mostModels)
    .map(({ name, version }) => at(`Model ${name} ${version}`, 'models', `/models/${name}/${version}`))
  return [...ids, ...numbers, ...found, ...ofModels, at(`Search tasks for ${typed}`, 'search', '/tasks', { q: typed })]
}
