import type { Schemas } from '../../api/client.ts'
import { formatNumber } from '../../format/numbers.ts'
import { plainWords } from '../../format/words.ts'
import { Facts } from '../../ui/facts.tsx'
import { Columns, Panel } from '../../ui/page.tsx'
import { Table } from '../../ui/table.tsx'
import { CalibrationPlot } from './calibration-plot.tsx'
import { wordsOfMetric } from './model-status.tsx'
import classes from './models.module.css'

type Detail = Schemas['ModelDetail']
type Evidence = Schemas['ModelEvidence']

const List = ({ of }: { readonly of: readonly string[] }) => (
  <ul className={classes.list}>
    {of.map((text) => (
      <li key={text}>{text}</li>
    ))}
  </ul>
)

/** How much each input matters, largest first. */
const Importance = ({
  importance,
  inputs,
}: {
  importance: NonNullable<Evidence['importance']>
  inputs: Detail['inputs']
}) => {
  const top = Math.max(...importance.values.map(({ value }) => Math.abs(value)), Number.MIN_VALUE)
  return (
    <Panel title="What drives it" hint={importance.measure}>
      <div className={classes.bars} role="list" aria-label="Importance of the inputs">
        {importance.values.map(({ input, value }) => (
          <div key={input} role="listitem" style={{ display: 'contents' }}>
            <span>{inputs.find(({ name }) => name === input)?.title ?? input}</span>
            <span className={classes.barTrack}>
              <div className={classes.bar} style={{ width: `${(Math.abs(value) / top) * 100}%` }} />
            </span>
            <span className={classes.number}>{formatNumber(value)}</span>
          </div>
        ))}
      </div>
    </Panel>
  )
}

const Quality = ({ metrics, evidence, interval, calibration_method: method }: Detail) => (
  <Panel title="Quality">
    <Facts
      of={[
        ...Object.entries(metrics).map(([name, value]) => [wordsOfMetric(name), formatNumber(value)] as const),
        ['Measured', evidence?.validation],
        ['Calibrated by', method ?? undefined],
        ['Interval', interval ? `${formatNumber(interval.level * 100)} %: ${interval.method}` : 'none is given'],
      ]}
    />
  </Panel>
)

const Evidence = ({ detail, evidence }: { readonly detail: Detail; readonly evidence: Evidence }) => (
  <>
    <Columns>
      <Panel title="What it is for">
        <p className={classes.text}>{evidence.intended_use}</p>
      </Panel>
      <Panel title="What it is not for">
        <List of={evidence.not_for} />
      </Panel>
    </Columns>
    <Columns>
      <Panel title="Data it was made from">
        <p className={classes.text}>{evidence.training_data}</p>
      </Panel>
      <Quality {...detail} />
    </Columns>
    {evidence.calibration.length > 0 && (
      <Panel
        title="Calibration"
        hint="Points on the dashed line: as many people have it as the model says. Above the line it says too little, below too much."
      >
        <Columns min={380}>
          {evidence.calibration.map(({ title, points }) => (
            <CalibrationPlot key={title} title={title} points={points} />
          ))}
        </Columns>
      </Panel>
    )}
    {evidence.importance && <Importance importance={evidence.importance} inputs={detail.inputs} />}
  </>
)

const rangeOf = ({ min, max, words }: Schemas['ModelInput']): string => {
  const named = words && Object.entries(words).map(([word, value]) => `${value} ${plainWords(word)}`)
  return named ? named.join(', ') : `${formatNumber(min)} to ${formatNumber(max)}`
}

const Inputs = ({ inputs }: { readonly inputs: Detail['inputs'] }) => (
  <Panel title="Inputs" isFlush>
    <Table
      caption="Inputs"
      rows={inputs}
      keyOf={({ name }) => name}
      columns={[
        {
          title: 'Input',
          cell: ({ name, title }) => (
            <div>
              {title}
              <div className={classes.note}>
                <code>{name}</code>
              </div>
            </div>
          ),
        },
        { title: 'Accepted', cell: rangeOf },
        { title: 'Unit', cell: ({ unit, words }) => (words ? '-' : unit) },
        {
          title: 'Usual',
          isMinor: true,
          cell: ({ typical }) => (typical ? `${formatNumber(typical.low)} to ${formatNumber(typical.high)}` : '-'),
        },
        {
          title: 'If missing',
          cell: ({ required, imputed }) =>
            required
              ? 'nothing is computed'
              : imputed === null
                ? 'computed without'
                : `taken as ${formatNumber(imputed)}`,
        },
      ]}
    />
  </Panel>
)

const percentOf = (value: number): string => `${formatNumber(value * 100)} %`

const Thresholds = ({ categories, categories_origin: origin, outputs, primary_output: primary }: Detail) => (
  <Panel
    title="Categories"
    hint={`By ${outputs.find(({ name }) => name === primary)?.title.replace(/^P/, 'p') ?? primary}. ${origin ?? 'The model does not say where the bounds come from.'}`}
    isFlush
  >
    <Table
      caption="Categories"
      rows={categories}
      keyOf={({ name }) => name}
      columns={[
        { title: 'Category', cell: ({ name }) => plainWords(name) },
        { title: 'From', isNumber: true, cell: ({ from }) => percentOf(from) },
        { title: 'To below', isNumber: true, cell: ({ below }) => (below === null ? '100 %' : percentOf(below)) },
      ]}
    />
  </Panel>
)

/** What a model says of itself: use, data, quality, inputs, limits and terms. */
export const ModelCard = ({ detail }: { readonly detail: Detail }) => (
  <>
    {detail.evidence ? <Evidence detail={detail} evidence={detail.evidence} /> : <Quality {...detail} />}
    <Inputs inputs={detail.inputs} />
    <Columns>
      {detail.categories.length > 0 && <Thresholds {...detail} />}
      <Panel title="Limits">{detail.limits.length > 0 ? <List of={detail.limits} /> : 'The model names none.'}</Panel>
    </Columns>
    <Panel title="Terms and files">
      <div className={classes.stack}>
        <Facts
          of={[
            ['Terms', detail.terms],
            ['Acknowledgement', detail.acknowledgement],
            ...Object.entries(detail.files).map(
              ([name, hash]) => [name, <code className={classes.hash}>sha256 {hash}</code>] as const,
            ),
          ]}
        />
        <details>
          <summary className={classes.summary}>Model card as it was written</summary>
          <pre className={classes.card} tabIndex={0} aria-label="Model card">
            {detail.card}
          </pre>
        </details>
      </div>
    </Panel>
  </>
)
