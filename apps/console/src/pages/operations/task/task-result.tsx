import { Button } from '@mantine/core'
import { query } from '../../../api/client.ts'
import { Empty } from '../../../ui/empty.tsx'
import { Failure } from '../../../ui/failure.tsx'
import { Json } from '../../../ui/json.tsx'
import { Loading } from '../../../ui/loading.tsx'
import { Panel } from '../../../ui/page.tsx'

interface TaskResultProps {
  readonly id: string
  readonly isShown: boolean
  readonly onShow: () => void
}

/** The result of a task, read only when somebody asks for it: it may be about a person's health. */
export const TaskResult = ({ id, isShown, onShow }: TaskResultProps) => {
  const { data, error, refetch } = query.useQuery(
    'get',
    '/v1/tasks/{id}/result',
    { params: { path: { id } } },
    { enabled: isShown },
  )
  return (
    <Panel
      title="Result"
      hint="Decision support, not diagnosis"
      actions={
        !isShown && (
          <Button variant="default" size="xs" onClick={onShow}>
            Show the result
          </Button>
        )
      }
    >
      {!isShown && 'It may hold health data. It is read when you ask for it.'}
      {isShown && error && <Failure error={error} onRetry={() => void refetch()} />}
      {isShown && !error && !data && <Loading lines={3} />}
      {isShown && data && data.result === null && <Empty title="There is no result">It was forgotten.</Empty>}
      {isShown && data && data.result !== null && <Json value={data.result} label="the result" />}
    </Panel>
  )
}
