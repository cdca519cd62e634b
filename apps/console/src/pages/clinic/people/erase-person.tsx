import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { api } from '../../../api/client.ts'
import { useSession } from '../../../session/session.tsx'
import { Confirm } from '../../../ui/confirm.tsx'

interface ErasePersonProps {
  readonly userId: number
  readonly onClose: () => void
}

/** Erases everything of a person, after the number was typed. */
export const ErasePerson = ({ userId, onClose }: ErasePersonProps) => {
  const { me } = useSession()
  const queries = useQueryClient()
  const navigate = useNavigate()
  const erase = async () => {
    await api.DELETE('/v1/users/{user_id}', { params: { path: { user_id: userId } } })
    // What was read of the person is not to stay in this browser either.
    queries.clear()
    // The key of the person is erased with them: the next page asks to sign in.
    if (me.user_id !== null) return location.assign(document.baseURI)
    await navigate({ to: '/people' })
  }
  return (
    <Confirm
      title={`Erase person ${userId}`}
      verb="Erase for good"
      typedName={String(userId)}
      isDangerous
      run={erase}
      onClose={onClose}
    >
      <p>
        This removes the predictions, explanations, forecasts and measurements of person {userId}, ends their waiting
        work, and removes the keys that are bound to them. It cannot be undone; the audit trail keeps a pseudonym.
      </p>
    </Confirm>
  )
}
