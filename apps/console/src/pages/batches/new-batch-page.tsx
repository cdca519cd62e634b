import { Button, Select, TextInput } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { query, type Schemas } from '../../api/client.ts'
import { formatBytes, formatCount, plural } from '../../format/numbers.ts'
import { referenceOf } from '../../format/words.ts'
import { useSession } from '../../session/session.tsx'
import { Failure } from '../../ui/failure.tsx'
import { Loading } from '../../ui/loading.tsx'
import { Notice } from '../../ui/notice.tsx'
import { Page, Panel } from '../../ui/page.tsx'
import classes from './batches.module.css'
import { checkSample, type Check } from './check-sample.ts'
import { previewRows, useChosenFile, type ChosenFile } from './chosen-file.ts'
import { FileButton, FileChoice } from './file-choice.tsx'
import { PreviewTable } from './preview-table.tsx'
import { UploadProgress } from './upload-progress.tsx'
import { useUpload } from './use-upload.ts'

type Model = Schemas['Model']

const rankOf = ({ is_default: isDefault, is_active: isActive }: Model): number => (isDefault ? 2 : isActive ? 1 : 0)

/** The models that give a risk: the default first, then the active ones. */
const useRiskModels = () => {
  const { data, error, refetch } = query.useQuery('get', '/v1/models', {}, { staleTime: 30_000 })
  const known = useMemo(() => new Set(data?.items.flatMap(({ inputs }) => inputs.map(({ name }) => name))), [data])
  const models = data?.items.filter(({ kind, state }) => kind === 'risk' && state === 'ready')
  return { models: models?.toSorted((left, right) => rankOf(right) - rankOf(left)), known, error, refetch }
}

const FileLine = ({
  chosen,
  onFile,
}: {
  readonly chosen: ChosenFile
  readonly onFile: ((file: File) => void) | undefined
}) => {
  const { file, rows, fault, begin } = chosen
  const counted =
    rows === undefined
      ? fault === undefined
        ? 'counting the rows'
        : ''
      : rows === null
        ? 'rows not counted'
        : plural(rows, 'row')
  return (
    <div className={classes.file}>
      <div>
        <div className={classes.fileName}>{file.name}</div>
        <div className={classes.muted} aria-live="polite">
          {[formatBytes(file.size), counted, begin?.charset === 'windows-1252' && 'not UTF-8: read as Windows-1252']
            .filter(Boolean)
            .join(', ')}
        </div>
      </div>
      {onFile && <FileButton label="Choose another file" onFile={onFile} />}
    </div>
  )
}

const Findings = ({ check, rows }: { readonly check: Check; readonly rows: number }) => {
  const misfits = check.columns.filter(({ misfits: count }) => count > 0)
  const misfitWords = misfits.map(({ name, misfits: count }) => `${name} (${formatCount(count)})`).join(', ')
  const warnings =
    misfits.length === 0
      ? check.warnings
      : [
          `Of the first ${plural(rows, 'row')}, some have invalid values: ${misfitWords}. Such rows fail alone; the others are computed.`,
          ...check.warnings,
        ]
  return (
    <>
      {check.faults.length > 0 && (
        <Notice kind="bad" title="This file cannot be computed with this model">
          <ul className={classes.list}>
            {check.faults.map((fault) => (
              <li key={fault}>{fault}</li>
            ))}
          </ul>
        </Notice>
      )}
      {warnings.length > 0 && (
        <Notice kind="warn" title="Check this before sending">
          <ul className={classes.list}>
            {warnings.map((warning) => (
              <li key={warning}>{warning}</li>
            ))}
          </ul>
        </Notice>
      )}
      {check.faults.length === 0 && warnings.length === 0 && (
        <Notice kind="ok">Columns and first rows match the model.</Notice>
      )}
    </>
  )
}

interface SettingsProps {
  readonly models: readonly Model[]
  readonly model: Model | undefined
  readonly missing: string
  readonly onModel: (reference: string) => void
  readonly onMissing: (missing: string) => void
}

/** Which model computes the rows, and what stands for a missing value. */
const Settings = ({ models, model, missing, onModel, onMissing }: SettingsProps) => (
  <div className={classes.fields}>
    <Select
      label="Model"
      description={model?.summary ?? 'The file is checked against what it takes.'}
      placeholder="Choose a model"
      data={models.map((each) => ({
        value: referenceOf(each),
        label: `${each.title} (${referenceOf(each)}${each.is_active ? '' : ', not active'})`,
      }))}
      value={model ? referenceOf(model) : null}
      onChange={(value) => value !== null && onModel(value)}
      allowDeselect={false}
    />
    <TextInput
      label="Missing values"
      description="usual (NA, null, ?, - and such), empty (nothing but empty cells), or your own, as -9,unknown"
      value={missing}
      maxLength={200}
      onChange={(event) => onMissing(event.currentTarget.value)}
    />
  </div>
)

/** Chooses a file, checks its begin, and sends it. */
export const NewBatchPage = () => {
  const { may } = useSession()
  const navigate = useNavigate()
  const { models, known, error, refetch } = useRiskModels()
  const [file, setFile] = useState<File>()
  const [reference, setReference] = useState<string>()
  const [missing, setMissing] = useState('usual')
  const chosen = useChosenFile(file)
  const upload = useUpload(
    // The page asks before an upload is left; this one has ended.
    (batch) => void navigate({ to: '/batches/$id', params: { id: batch.id }, ignoreBlocker: true }),
  )
  const choose = (next: File) => {
    upload.reset()
    setFile(next)
  }
  const model = models?.find((each) => (reference === undefined ? each.is_default : referenceOf(each) === reference))
  const missingValues = missing.trim() || 'usual'
  const sample = chosen?.sample
  const check = useMemo(
    () => sample && model && checkSample({ sample, model, known, missingValues }),
    [sample, model, known, missingValues],
  )
  const isReady =
    chosen?.begin !== undefined && chosen.fault === undefined && chosen.rows !== undefined && check?.faults.length === 0
  const send = () => {
    if (chosen?.begin && model) {
      upload.start({ file: chosen.file, begin: chosen.begin, model: referenceOf(model), missingValues })
    }
  }
  return (
    <Page
      title="Send a file"
      lead="The risks of many people at once. Your browser checks the file before anything is sent."
    >
      {!may('submitter') && <Notice kind="info">Your role may look at batches, but not send one.</Notice>}
      {may('submitter') && error && !models && <Failure error={error} onRetry={() => void refetch()} />}
      {may('submitter') && (
        <>
          {upload.isSending && file && <UploadProgress file={file} sent={upload.sent} onCancel={upload.cancel} />}
          {upload.isCancelled && <Notice kind="info">The upload was cancelled. Nothing of it was kept.</Notice>}
          {upload.error && <Failure error={upload.error} />}
          <Panel title="File">
            {chosen ? (
              <FileLine chosen={chosen} onFile={upload.isSending ? undefined : choose} />
            ) : (
              <FileChoice onFile={choose} />
            )}
          </Panel>
          {chosen?.fault !== undefined && (
            <Notice kind="bad" title="This file cannot be sent">
              {chosen.fault}
            </Notice>
          )}
          {chosen && chosen.fault === undefined && !sample && <Loading lines={4} />}
          {sample && chosen?.fault === undefined && models && !upload.isSending && (
            <>
              <Panel title="Model">
                <Settings
                  models={models}
                  model={model}
                  missing={missing}
                  onModel={setReference}
                  onMissing={setMissing}
                />
              </Panel>
              {check && <Findings check={check} rows={sample.rows.length} />}
              {check && (
                <div>
                  <Button disabled={!isReady || upload.isSending} onClick={send}>
                    {chosen.rows ? `Send ${plural(chosen.rows, 'row')}` : 'Send the file'}
                  </Button>
                </div>
              )}
              {check && (
                <Panel
                  title="First rows"
                  hint={`Up to ${previewRows} rows, as the service will read them. They have not left this browser.`}
                  isFlush
                >
                  <PreviewTable sample={sample} check={check} />
                </Panel>
              )}
            </>
          )}
        </>
      )}
    </Page>
  )
}
