import { Button, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useRef, useState, type FormEvent } from 'react'
import { problemOf } from '../../../api/problem.ts'
import { plural } from '../../../format/numbers.ts'
import { referenceOf } from '../../../format/words.ts'
import { useSession } from '../../../session/session.tsx'
import { Failure } from '../../../ui/failure.tsx'
import { Notice } from '../../../ui/notice.tsx'
import { Panel } from '../../../ui/page.tsx'
import { absenceOf, checkEntry, emptyEntry, kindOf, type Entry, type ModelInput } from '../inputs.ts'
import { type ModelDetail } from '../models.ts'
import { parsePerson } from '../person.ts'
import { InputField } from './input-field.tsx'
import { createSubmitter } from './submission.ts'
import classes from './predict.module.css'

type Entries = Readonly<Record<string, Entry>>

/** What somebody has entered so far, for whichever model. */
export interface Draft {
  /** The person's number as it was typed. */
  readonly person: string
  readonly entries: Entries
}

interface PredictFormProps {
  readonly model: ModelDetail
  readonly draft: Draft
  readonly onChange: (change: (before: Draft) => Draft) => void
}

const entryOf = (entries: Entries, name: string): Entry => entries[name] ?? emptyEntry

/** What a person's entries are for a model: the numbers to send, and the inputs that stop them. */
const readEntries = (model: ModelDetail, entries: Entries) => {
  const checks = model.inputs.map((input) => ({ input, ...checkEntry(input, entryOf(entries, input.name)) }))
  const metrics = Object.fromEntries(
    checks.flatMap(({ input, value }) => (value === undefined ? [] : [[input.name, value]])),
  )
  return { metrics, faulty: checks.filter(({ fault }) => fault !== undefined).map(({ input }) => input) }
}

const isUntouched = ({ text, isUnknown }: Entry): boolean => text.trim() === '' && !isUnknown

/** The questions of a model. What is entered stays when the model, the session or the connection changes. */
export const PredictForm = ({ model, draft: { person, entries }, onChange }: PredictFormProps) => {
  const navigate = useNavigate()
  const queries = useQueryClient()
  const [isStrict, setStrict] = useState(false)
  const [attempts, setAttempts] = useState(0)
  const [send] = useState(createSubmitter)
  const form = useRef<HTMLFormElement>(null)
  useEffect(() => {
    // What is wrong has been drawn: the keyboard goes on at the first of it.
    if (attempts > 0) form.current?.querySelector<HTMLElement>('[aria-invalid="true"], [data-error] input')?.focus()
  }, [attempts])
  const userId = parsePerson(person)
  const { metrics, faulty } = readEntries(model, entries)
  const isEmpty = Object.keys(metrics).length === 0
  const submission = useMutation({
    mutationFn: send,
    onSuccess: async (prediction) => {
      queries.removeQueries({ queryKey: ['get', '/v1/predictions'] })
      await navigate({ to: '/predictions/$id', params: { id: String(prediction.id) } })
    },
  })
  const enter = (more: Entries) => onChange((before) => ({ ...before, entries: { ...before.entries, ...more } }))
  const untouched = model.inputs.filter(
    (input) => !input.required && kindOf(input) !== 'unknown' && isUntouched(entryOf(entries, input.name)),
  )
  const markUnknown = () =>
    enter(Object.fromEntries(untouched.map(({ name }) => [name, { text: '', isUnknown: true }])))
  const submit = (event: FormEvent) => {
    event.preventDefault()
    setStrict(true)
    if (submission.isPending) return
    if (userId !== undefined && faulty.length === 0 && !isEmpty)
      submission.mutate({ user_id: userId, health_metrics: metrics, model: referenceOf(model) })
    else setAttempts((before) => before + 1)
  }
  return (
    <form ref={form} onSubmit={submit} noValidate aria-label="Prediction">
      <Panel
        title="What is known of the person"
        hint="Nothing is sent before you press the button below."
        actions={
          untouched.length > 0 && (
            <Button variant="default" size="xs" onClick={markUnknown}>
              Mark {plural(untouched.length, 'empty input')} as unknown
            </Button>
          )
        }
      >
        <div className={classes.fields}>
          <PersonField
            person={person}
            isFaulty={isStrict && userId === undefined}
            onChange={(typed) => onChange((before) => ({ ...before, person: typed }))}
          />
          {model.inputs.map((input) => (
            <InputField
              key={input.name}
              input={input}
              entry={entryOf(entries, input.name)}
              onChange={(entry) => enter({ [input.name]: entry })}
              isStrict={isStrict}
              absence={absenceOf(input, model.missing_rule)}
            />
          ))}
        </div>
      </Panel>
      <div className={classes.end}>
        {isStrict && <Stopped person={userId} faulty={faulty} isEmpty={isEmpty} />}
        {submission.isError && problemOf(submission.error).status !== 401 && (
          <>
            <Failure error={submission.error} />
            <p className={classes.note}>What you entered is still here. Another try makes no second prediction.</p>
          </>
        )}
        <div className={classes.submit}>
          <Button type="submit" size="md" loading={submission.isPending}>
            Predict
          </Button>
          <p className={classes.note}>{model.disclaimer}</p>
        </div>
      </div>
    </form>
  )
}

interface PersonFieldProps {
  readonly person: string
  readonly isFaulty: boolean
  readonly onChange: (typed: string) => void
}

const PersonField = ({ person, isFaulty, onChange }: PersonFieldProps) => {
  const { me } = useSession()
  const isBound = me.user_id !== null
  return (
    <TextInput
      label="Person number"
      description={isBound ? 'Your key is for this person.' : 'The number that stands for the person.'}
      inputMode="numeric"
      autoComplete="off"
      required
      value={person}
      readOnly={isBound}
      error={isFaulty && 'Enter a whole number above 0.'}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  )
}

interface StoppedProps {
  readonly person: number | undefined
  readonly faulty: readonly ModelInput[]
  readonly isEmpty: boolean
}

/** What keeps the values from being sent. */
const Stopped = ({ person, faulty, isEmpty }: StoppedProps) => {
  if (person !== undefined && faulty.length === 0 && !isEmpty) return undefined
  return (
    <Notice kind="bad" title="Nothing has been sent yet">
      {person === undefined && <div>The person number is missing.</div>}
      {faulty.length > 0 && <div>Look again at {faulty.map(({ title }) => title).join(', ')}.</div>}
      {faulty.length === 0 && isEmpty && <div>The model needs at least one value.</div>}
    </Notice>
  )
}
