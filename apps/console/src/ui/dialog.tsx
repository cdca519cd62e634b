import { Modal, type ModalProps } from '@mantine/core'
import { useReturnFocus } from './return-focus.ts'

/** A dialog that is there only while it is open. The focus comes back to what opened it. */
export const Dialog = (props: Omit<ModalProps, 'opened'>) => {
  useReturnFocus()
  return <Modal closeButtonProps={{ 'aria-label': 'Close' }} {...props} opened />
}
