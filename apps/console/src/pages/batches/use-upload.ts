import { useMutation } from '@tanstack/react-query'
import { useCallback, useRef, useState } from 'react'
import type { Schemas } from '../../api/client.ts'
import { newIdempotencyKey } from '../../api/idempotency-key.ts'
import { problemOf } from '../../api/problem.ts'
import type { FileBegin } from './read-file.ts'
import { uploadBatch } from './upload.ts'

/** What is to be sent. */
export interface UploadInput {
  readonly file: File
  readonly begin: FileBegin
  readonly model: string
  readonly missingValues: string
}

/** An upload with its progress; it can be cancelled, and sent again without making a second batch. */
export const useUpload = (onSent: (batch: Schemas['Batch']) => void) => {
  const [sent, setSent] = useState(0)
  const controller = useRef<AbortController>(undefined)
  const attempt = useRef({ of: '', key: '' })
  const send = useMutation({
    mutationFn: (input: UploadInput) => {
      const { file, model, missingValues } = input
      const of = [file.name, file.size, file.lastModified, model, missingValues].join('\n')
      if (attempt.current.of !== of) attempt.current = { of, key: newIdempotencyKey() }
      controller.current = new AbortController()
      setSent(0)
      return uploadBatch({
        ...input,
        idempotencyKey: attempt.current.key,
        signal: controller.current.signal,
        onProgress: setSent,
      })
    },
    onSuccess: onSent,
  })
  const cancel = useCallback(() => controller.current?.abort(), [])
  const isCancelled = send.isError && problemOf(send.error).code === 'UPLOAD_CANCELLED'
  return {
    start: send.mutate,
    cancel,
    reset: send.reset,
    sent,
    isSending: send.isPending,
    isCancelled,
    error: isCancelled ? null : send.error,
  }
}
