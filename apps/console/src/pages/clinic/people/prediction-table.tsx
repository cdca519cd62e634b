import type { ReactNode } from 'react'
import type { Schemas } from '../../../api/client.ts'
import { plainWords, referenceOf } from '../../../format/words.ts'
import { PersonLink, PredictionLink } from '../../../ui/links.tsx'
import { TaskStatus } from '../../../ui/status.tsx'
import { Table, type Column } from '../../../ui/table.tsx'
import { Time } from '../../../ui/time.tsx'
import { formatRisk } from '../risk-words.ts'

type Prediction = Schemas['Prediction']

interface PredictionTableProps {
  readonly page: {
    readonly data: Schemas['PredictionPage'] | undefined
    readonly error: unknown
    readonly refetch: () => unknown
  }
  /** Whether the rows are of several people. */
  readonly withPerson?: boolean
  readonly empty: ReactNode
}

const personColumn: Column<Prediction> = {
  title: 'Person',
  isNumber: true,
  cell: ({ user_id: userId }) => <PersonLink id={userId}>{userId}</PersonLink>,
}

const riskOf = ({ risk_score: risk }: Prediction): ReactNode =>
  risk === null ? '-' : <span title={`Stored value: ${risk}`}>{formatRisk(risk)}</span>

const intervalOf = ({ confidence_interval: interval }: Prediction): string =>
  interval ? `${formatRisk(interval.lower)} to ${formatRisk(interval.upper)}` : '-'

/** Predictions, one a row, each with its way to the result. */
export const PredictionTable = ({ page, withPerson = false, empty }: PredictionTableProps) => (
  <Table
    caption="Predictions"
    rows={page.data?.items}
    error={page.error}
    onRetry={() => void page.refetch()}
    keyOf={({ id }) => String(id)}
    empty={empty}
    columns={[
      {
        title: 'Prediction',
        cell: ({ id, external_id: external }) => (
          <>
            <PredictionLink id={id}>{id}</PredictionLink>
            {external !== null && <span title="Number of the Celery caller"> ({external})</span>}
          </>
        ),
      },
      ...(withPerson ? [personColumn] : []),
      { title: 'State', cell: ({ state }) => <TaskStatus state={state} /> },
      { title: 'Risk', isNumber: true, cell: riskOf },
      { title: 'Interval', isMinor: true, cell: intervalOf },
      { title: 'Category', cell: ({ risk_category: category }) => (category === null ? '-' : plainWords(category)) },
      { title: 'Model', isMinor: true, cell: ({ model }) => referenceOf(model) },
      { title: 'Submitted', cell: ({ created_at: at }) => <Time at={at} isAge /> },
    ]}
  />
)
