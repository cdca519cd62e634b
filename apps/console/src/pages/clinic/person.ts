/** The number of a person as it was typed, if it is one. */
export const parsePerson = (text: string): number | undefined => {
  const number = Number(text.trim())
  return /^\d+$/.test(text.trim()) && number > 0 && Number.isSafeInteger(number) ? number : undefined
}
