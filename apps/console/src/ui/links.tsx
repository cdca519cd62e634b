import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'

interface NumberLinkProps {
  readonly id: number
  readonly children?: ReactNode
}

export const PersonLink = ({ id, children = `person ${id}` }: NumberLinkProps) => (
  <Link to="/people/$userId" params={{ userId: String(id) }}>
    {children}
  </Link>
)

export const PredictionLink = ({ id, children = `prediction ${id}` }: NumberLinkProps) => (
  <Link to="/predictions/$id" params={{ id: String(id) }}>
    {children}
  </Link>
)

/** A task by its id alone. */
export const TaskLink = ({ id }: { readonly id: string }) => (
  <Link to="/tasks/$id" params={{ id }} title={id}>
    <code>{`${id.slice(0, 8)}…${id.slice(-4)}`}</code>
  </Link>
)

/** Link to a version of a model; `reference` is `name@version`. */
export const ModelLink = ({ reference }: { readonly reference: string }) => {
  const [name = '', version = ''] = reference.split('@')
  return (
    <Link to="/models/$name/$version" params={{ name, version }}>
      {reference}
    </Link>
  )
}

export const QueueLink = ({ name }: { readonly name: string }) => (
  <Link to="/queues/$name" params={{ name }}>
    {name}
  </Link>
)

export const WorkerLink = ({ name }: { readonly name: string }) => (
  <Link to="/workers/$name" params={{ name }}>
    {name}
  </Link>
)
