/** A URL or path as what further segments are added to. Takes linear time, unlike an expression that searches for the end. */
export const withoutEndingSlashes = (text: string): string => {
  let end = text.length
  while (end > 0 && text[end - 1] === '/') end -= 1
  return text.slice(0, end)
}
