import { useEffect, useState } from 'react'
import { maxRows } from './file-kind.ts'
import { parseCsvSample, parseNdjsonSample, type Sample } from './parse-sample.ts'
import { countRows, readBegin, type FileBegin } from './read-file.ts'

/** Rows of the preview. */
export const previewRows = 20

/** A file that was chosen, and what is known of it so far. */
export interface ChosenFile {
  readonly file: File
  readonly begin?: FileBegin
  readonly sample?: Sample
  /** Undefined until they are counted; null where they cannot be counted. */
  readonly rows?: number | null
  /** Why it cannot be sent. */
  readonly fault?: string
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const faultOfRows = (rows: number | undefined): string | undefined => {
  if (rows === 0) return 'This file has no rows, only the names of columns.'
  if (rows === undefined || rows <= maxRows) return undefined
  return 'This file has more than 1,000,000 rows, the most that a batch may have. Split it into several files.'
}

const readSample = ({ kind, text, isWhole }: FileBegin): Sample =>
  (kind.format === 'csv' ? parseCsvSample : parseNdjsonSample)(text, previewRows, isWhole)

/** Reads the begin of a file, then counts its rows; what is known comes as it is known. */
const study = async (file: File, signal: AbortSignal, tell: (known: ChosenFile) => void): Promise<void> => {
  try {
    const begin = await readBegin(file)
    const known = { file, begin, sample: readSample(begin) }
    tell(known)
    const rows = await countRows(file, begin, signal)
    const fault = faultOfRows(rows)
    tell({ ...known, rows: rows ?? null, ...(fault !== undefined && { fault }) })
  } catch (error) {
    if (!signal.aborted) tell({ file, fault: wordsOf(error) })
  }
}

/** What is known of a file. Of two that are chosen quickly, the second counts. */
export const useChosenFile = (file: File | undefined): ChosenFile | undefined => {
  const [known, setKnown] = useState<ChosenFile>()
  useEffect(() => {
    if (!file) return undefined
    const controller = new AbortController()
    void study(file, controller.signal, (next) => {
      if (!controller.signal.aborted) setKnown(next)
    })
    return () => controller.abort()
  }, [file])
  if (!file) return undefined
  return known?.file === file ? known : { file }
}
