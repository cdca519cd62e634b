import { Button, Checkbox, Group, Radio, Select, TextInput } from '@mantine/core'
import { plainWords } from '../../../format/words.ts'
import { Notice } from '../../../ui/notice.tsx'
import { StatusIcon } from '../../../ui/status.tsx'
import { checkEntry, formatValue, kindOf, rangeOf, type Entry, type ModelInput } from '../inputs.ts'
import classes from './predict.module.css'

interface InputFieldProps {
  readonly input: ModelInput
  readonly entry: Entry
  readonly onChange: (entry: Entry) => void
  /** Whether faults are shown of what has not been entered yet. */
  readonly isStrict: boolean
  /** What the model does where the value is unknown. */
  readonly absence: string
}

const unknownChoice = 'unknown'
/** More words than this stand in a list instead of beside each other. */
const mostRadios = 5

/** An input of a model, asked for as the model describes it. */
export const InputField = (props: InputFieldProps) => {
  const { input, entry, onChange, isStrict } = props
  const kind = kindOf(input)
  if (kind === 'unknown') return <UnknownKind input={input} />
  const check = checkEntry(input, entry)
  const error = isStrict || entry.text.trim() !== '' ? check.fault : undefined
  return (
    <div className={classes.field} id={`field-${input.name}`}>
      {kind === 'choice' ? <Choice {...props} error={error} /> : <NumberField {...props} error={error} />}
      {check.warning !== undefined && (
        <p className={classes.warning}>
          <StatusIcon tone="warn" /> {check.warning}
        </p>
      )}
      {check.conversion !== undefined && (
        <Group gap="xs" className={classes.conversion}>
          <span>This looks like {check.conversion.from}.</span>
          <Button
            size="compact-sm"
            variant="light"
            onClick={() => onChange({ text: String(check.conversion?.value), isUnknown: false })}
          >
            Use {formatValue(input, check.conversion.value)}
          </Button>
        </Group>
      )}
    </div>
  )
}

const UnknownKind = ({ input }: { readonly input: ModelInput }) => (
  <Notice kind="warn" title={input.title}>
    This page does not know how to ask for this kind of input.{' '}
    {input.required ? 'The model needs it: send this prediction through the API.' : 'It is sent as unknown.'}
  </Notice>
)

type FieldProps = InputFieldProps & { readonly error: string | undefined }

const descriptionOf = ({ description }: ModelInput, absence: string, isUnknown: boolean): string =>
  [description, isUnknown && absence].filter(Boolean).join(' ')

const Choice = ({ input, entry, onChange, absence, error }: FieldProps) => {
  const words = Object.entries(input.words ?? {})
  const value = entry.isUnknown ? unknownChoice : entry.text === '' ? null : entry.text
  const choose = (chosen: string | null) =>
    onChange(chosen === unknownChoice ? { text: '', isUnknown: true } : { text: chosen ?? '', isUnknown: false })
  const common = {
    label: input.title,
    description: descriptionOf(input, absence, entry.isUnknown),
    error,
    required: input.required,
    withAsterisk: input.required,
  }
  const choices = [
    ...words.map(([word, number]) => ({ value: String(number), label: plainWords(word) })),
    ...(input.required ? [] : [{ value: unknownChoice, label: 'unknown' }]),
  ]
  if (words.length > mostRadios)
    return <Select {...common} data={choices} value={value} onChange={choose} allowDeselect={false} />
  return (
    <Radio.Group {...common} value={value} onChange={choose}>
      <Group gap="lg" mt={6}>
        {choices.map((choice) => (
          <Radio key={choice.value} value={choice.value} label={choice.label} />
        ))}
      </Group>
    </Radio.Group>
  )
}

const NumberField = ({ input, entry, onChange, absence, error }: FieldProps) => (
  <>
    <TextInput
      label={`${input.title} (${input.unit})`}
      description={
        <>
          {descriptionOf(input, absence, entry.isUnknown)} <span className={classes.range}>{rangeOf(input)}</span>
        </>
      }
      inputMode="decimal"
      autoComplete="off"
      name={input.name}
      value={entry.isUnknown ? '' : entry.text}
      placeholder={entry.isUnknown ? 'unknown' : ''}
      disabled={entry.isUnknown}
      error={error}
      required={input.required}
      withAsterisk={input.required}
      onChange={(event) => onChange({ text: event.currentTarget.value, isUnknown: false })}
    />
    {!input.required && (
      <Checkbox
        mt={8}
        label="unknown"
        aria-label={`${input.title}: unknown`}
        checked={entry.isUnknown}
        onChange={(event) => onChange({ text: entry.text, isUnknown: event.currentTarget.checked })}
      />
    )}
  </>
)
