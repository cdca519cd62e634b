import { Button } from '@mantine/core'
import { useRef, useState, type DragEvent } from 'react'
import classes from './batches.module.css'

const accepted = '.csv,.tsv,.txt,.ndjson,.jsonl,.gz'

interface FileChoiceProps {
  readonly onFile: (file: File) => void
  readonly label?: string
}

/** A button that chooses a file. */
export const FileButton = ({ onFile, label = 'Choose a file' }: FileChoiceProps) => {
  const input = useRef<HTMLInputElement>(null)
  return (
    <>
      <input
        ref={input}
        type="file"
        hidden
        accept={accepted}
        aria-label="File with people"
        onChange={({ currentTarget }) => {
          const [file] = currentTarget.files ?? []
          if (file) onFile(file)
          // So that the same file, corrected, can be chosen again.
          currentTarget.value = ''
        }}
      />
      <Button variant={label === 'Choose a file' ? 'filled' : 'default'} onClick={() => input.current?.click()}>
        {label}
      </Button>
    </>
  )
}

/** Where a file is dropped or chosen. */
export const FileChoice = ({ onFile }: FileChoiceProps) => {
  const [isOver, setOver] = useState(false)
  const drop = (event: DragEvent) => {
    event.preventDefault()
    setOver(false)
    const [file] = event.dataTransfer.files
    if (file) onFile(file)
  }
  return (
    <div
      className={classes.drop}
      data-over={isOver}
      onDragOver={(event) => {
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <div className={classes.dropTitle}>Drop a file here</div>
      <div className={classes.muted}>
        CSV with a first line of column names (user_id, age, mmse_score, …), or newline-delimited JSON; also packed as
        .gz. Up to 1,000,000 rows and 1 GiB.
      </div>
      <FileButton onFile={onFile} />
    </div>
  )
}
