import { Button } from '@mantine/core'
import { useState } from 'react'
import { api, type Schemas } from '../../api/client.ts'
import { useRefresh } from '../../api/refresh.ts'
import { Confirm } from '../../ui/confirm.tsx'

type Detail = Schemas['ModelDetail']
type Action = 'activate' | 'rollback' | 'shadow' | 'unshadow'

interface Words {
  readonly title: string
  readonly verb: string
  readonly effect: string
}

const wordsOf = (action: Action, { name, version, rollback_to: before }: Detail, active: string | undefined): Words => {
  if (action === 'activate') {
    return {
      title: `Activate ${name}@${version}`,
      verb: 'Activate',
      effect: `New requests for ${name} that name no version are computed by version ${version}${active === undefined ? '' : ` instead of version ${active}`}. Tasks that were submitted before keep theirs.`,
    }
  }
  if (action === 'rollback') {
    return {
      title: `Roll ${name} back`,
      verb: 'Roll back',
      effect: `From version ${version} to version ${before}: new requests for ${name} that name no version are computed by version ${before} again. Tasks that were submitted before keep theirs.`,
    }
  }
  if (action === 'shadow') {
    return {
      title: `Run ${name}@${version} as a shadow`,
      verb: 'Start the shadow',
      effect: `Each prediction by the active version${active === undefined ? '' : ` ${active}`} is also computed by version ${version}. Its results are only compared; nobody receives them. A report of an earlier shadow of this version is begun anew.`,
    }
  }
  return {
    title: `End the shadow ${name}@${version}`,
    verb: 'End the shadow',
    effect: 'Its report stays.',
  }
}

const run = (action: Action, { name, version }: Detail) => {
  const path = { params: { path: { name, version } } }
  if (action === 'activate') return api.POST('/v1/models/{name}/{version}/activate', path)
  if (action === 'rollback') return api.POST('/v1/models/{name}/rollback', { params: { path: { name } } })
  if (action === 'shadow') return api.POST('/v1/models/{name}/{version}/shadow', path)
  return api.DELETE('/v1/models/{name}/{version}/shadow', path)
}

interface ModelActionsProps {
  readonly detail: Detail
  /** Version of this model that serves now. */
  readonly active: string | undefined
  /** Called with what was done, in words. */
  readonly onDone: (words: string) => void
}

const done: Record<Action, string> = {
  activate: 'This version is active now.',
  rollback: 'The version before is active again.',
  shadow: 'The shadow runs. Its report fills as predictions are made.',
  unshadow: 'The shadow has ended.',
}

/** Switches the versions of a model, for operators. */
export const ModelActions = ({ detail, active, onDone }: ModelActionsProps) => {
  const [action, setAction] = useState<Action>()
  const refresh = useRefresh()
  const close = () => setAction(undefined)
  const { is_active: isActive, is_shadow: isShadow, kind, rollback_to: before } = detail
  const words = action && wordsOf(action, detail, active)
  return (
    <>
      {kind === 'risk' && !isActive && (
        <Button variant="default" onClick={() => setAction(isShadow ? 'unshadow' : 'shadow')}>
          {isShadow ? 'End the shadow' : 'Run as a shadow'}
        </Button>
      )}
      {isActive && before !== null && (
        <Button variant="default" onClick={() => setAction('rollback')}>
          Roll back to {before}
        </Button>
      )}
      {!isActive && <Button onClick={() => setAction('activate')}>Activate</Button>}
      {action && words && (
        <Confirm
          title={words.title}
          verb={words.verb}
          onClose={close}
          run={() => run(action, detail)}
          onDone={() => {
            close()
            onDone(done[action])
            void refresh('/v1/models', '/v1/models/{name}/{version}', '/v1/models/{name}/{version}/shadow')
          }}
        >
          {words.effect}
        </Confirm>
      )}
    </>
  )
}
