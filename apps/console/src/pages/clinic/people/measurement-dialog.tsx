import { Button, Group, Select, Stack, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import type { Schemas } from '../../../api/client.ts'
import { plainWords } from '../../../format/words.ts'
import { Dialog } from '../../../ui/dialog.tsx'
import { Failure } from '../../../ui/failure.tsx'
import { Notice } from '../../../ui/notice.tsx'
import { checkEntry, emptyEntry, type Entry, type ModelInput } from '../inputs.ts'
import { InputField } from '../predict/input-field.tsx'
import { MeasuredAt } from './measured-at.tsx'
import { deleteMeasurement, recordMeasurement } from './metrics.ts'
import classes from './people.module.css'

type Measurement = Schemas['Measurement']
type Entries = Readonly<Record<string, Entry>>

interface MeasurementDialogProps {
  readonly userId: number
  /** What may be recorded. */
  readonly metrics: readonly ModelInput[]
  /** The measurement that was wrong; undefined for a new one. */
  readonly corrected: Measurement | undefined
  readonly onChanged: () => Promise<unknown>
  readonly onClose: () => void
}

const entriesOf = (measurement: Measurement | undefined, first: string | undefined): Entries => {
  if (!measurement) return first === undefined ? {} : { [first]: emptyEntry }
  return Object.fromEntries(
    Object.entries(measurement.health_metrics).map(([name, value]) => [
      name,
      { text: String(value), isUnknown: false },
    ]),
  )
}

const without = (entries: Entries, name: string): Entries =>
  Object.fromEntries(Object.entries(entries).filter(([each]) => each !== name))

const today = (): string => new Date().toISOString().slice(0, 10)

/** An input for a metric that no model of this service describes. */
const plainInput = (name: string): ModelInput => ({
  name,
  title: plainWords(name),
  description: '',
  unit: 'as recorded',
  min: -Number.MAX_VALUE,
  max: Number.MAX_VALUE,
  integer: false,
  words: null,
  required: true,
  imputed: null,
  typical: null,
  unit_hints: [],
})

interface Saving extends Pick<MeasurementDialogProps, 'userId' | 'corrected' | 'onChanged' | 'onClose'> {
  readonly at: string
  readonly values: Measurement['health_metrics']
}

/** Records the values; the API holds one measurement of a time, so that a wrong one has to go first. */
const useSaving = ({ userId, corrected, at, values, onChanged, onClose }: Saving) => {
  // What the API holds of the time that is corrected; undefined once it is removed, or for a new measurement.
  const [standing, setStanding] = useState(corrected)
  const save = useMutation({
    mutationFn: async () => {
      if (standing) await deleteMeasurement(standing)
      setStanding(undefined)
      try {
        await recordMeasurement(userId, at, values)
      } catch (error) {
        // What could not be replaced comes back.
        if (standing) setStanding(await recordMeasurement(userId, at, standing.health_metrics))
        throw error
      }
      await onChanged()
    },
    onSuccess: onClose,
    onError: () => void onChanged(),
  })
  return { save, isRemoved: corrected !== undefined && standing === undefined }
}

/** Records a measurement, or one in the place of another that was wrong. */
export const MeasurementDialog = ({ userId, metrics, corrected, onChanged, onClose }: MeasurementDialogProps) => {
  const [day, setDay] = useState(today)
  const [entries, setEntries] = useState(() => entriesOf(corrected, metrics[0]?.name))
  const [isStrict, setStrict] = useState(false)
  const chosen = Object.keys(entries).map((name) => ({
    ...(metrics.find((each) => each.name === name) ?? plainInput(name)),
    required: true,
  }))
  const checks = chosen.map((input) => ({ input, ...checkEntry(input, entries[input.name] ?? emptyEntry) }))
  const values = Object.fromEntries(
    checks.flatMap(({ input, value }) => (value === undefined ? [] : [[input.name, value]])),
  )
  const { save, isRemoved } = useSaving({
    userId,
    corrected,
    at: corrected?.recorded_at ?? day,
    values,
    onChanged,
    onClose,
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    setStrict(true)
    if (checks.length > 0 && checks.every(({ fault }) => fault === undefined) && day !== '') save.mutate()
  }
  const others = metrics
    .filter(({ name }) => !(name in entries))
    .map(({ name, title }) => ({ value: name, label: title }))
  return (
    <Dialog onClose={onClose} title={corrected ? 'Correct a measurement' : 'Add a measurement'} size="lg">
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          {corrected ? (
            <p className={classes.text}>
              Measured <MeasuredAt at={corrected.recorded_at} />. The new values take the place of the old ones;
              forecasts that stand already stay as they are.
            </p>
          ) : (
            <TextInput
              type="date"
              label="Day of the measurement"
              max={today()}
              required
              withAsterisk={false}
              value={day}
              error={isStrict && day === '' && 'Enter the day.'}
              onChange={(event) => setDay(event.currentTarget.value)}
            />
          )}
          <Values inputs={chosen} entries={entries} onChange={setEntries} isStrict={isStrict} />
          {others.length > 0 && (
            <Select
              label="Add another value"
              placeholder="Choose what was measured"
              data={others}
              value={null}
              searchable
              comboboxProps={{ withinPortal: false }}
              onChange={(name) => name !== null && setEntries((before) => ({ ...before, [name]: emptyEntry }))}
            />
          )}
          {isRemoved && save.isError && (
            <Notice kind="warn" title="The old values are removed, the new ones are not recorded yet">
              Save again, or close and add them later.
            </Notice>
          )}
          {save.isError && <Failure error={save.error} />}
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending}>
              Save
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  )
}

interface ValuesProps {
  readonly inputs: readonly ModelInput[]
  readonly entries: Entries
  readonly onChange: (entries: Entries) => void
  readonly isStrict: boolean
}

const Values = ({ inputs, entries, onChange, isStrict }: ValuesProps) => (
  <div className={classes.values}>
    {inputs.map((input) => (
      <div key={input.name}>
        <InputField
          input={input}
          entry={entries[input.name] ?? emptyEntry}
          onChange={(entry) => onChange({ ...entries, [input.name]: entry })}
          isStrict={isStrict}
          absence=""
        />
        {inputs.length > 1 && (
          <Button
            mt={4}
            size="compact-sm"
            variant="subtle"
            aria-label={`Leave out ${input.title}`}
            onClick={() => onChange(without(entries, input.name))}
          >
            Leave out
          </Button>
        )}
      </div>
    ))}
  </div>
)
