import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Creates a folder and those above it that are missing; returns whether it was missing. Node's own recursive `mkdir` never
 * returns where a file system such as /proc says ENOENT for a folder whose parent exists.
 * @throws the system's error
 */
export const createFolders = (path: string, mode = 0o777): boolean => {
  const isFolder = () => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  if (isFolder()) return false
  const parent = dirname(path)
  if (parent !== path) createFolders(parent, mode)
  try {
    mkdirSync(path, { mode })
    return true
  } catch (error) {
    // Another process may have been faster.
    if (isFolder()) return false
    throw error
  }
}
