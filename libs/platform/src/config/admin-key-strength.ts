/** Words in keys that people make up or copy, longer ones before those that they contain. */
const knownWords =
  /administrator|memoryguard|qwertyuiop|asdfghjkl|dementia|password|asdfgh|change|default|example|initial|letmein|replace|staging|testing|welcome|zxcvbnm|bearer|memory|please|qwerty|random|sample|secret|string|local|first|guard|insert|passwd|token|value|admin|your|demo|here|pass|prod|root|some|test|this|that|user|with|api|dev|key|the/gi

/** Characters that must be left without such words, and how many different ones. */
const minLength = 16
const minDistinct = 8

/** Most of all steps that may lead to the same or a neighbouring character, as in `aaaa`, `abcd` and `4321`. */
const maxNeighbours = 2 / 3
/** Most characters that may be the same as those some places before. */
const maxRepeated = 1 / 2

/** Whether a key can be guessed: short without well-known words, of few different characters, a sequence or a pattern. */
export const isEasyToGuess = (key: string): boolean => {
  const rest = key.replace(/^mg_/, '').replaceAll(knownWords, '').replaceAll(/[_-]/g, '')
  if (rest.length < minLength || new Set(rest).size < minDistinct) return true
  const codes = Array.from(rest, (character) => character.charCodeAt(0))
  const shareAt = (distance: number, isAlike: (a: number, b: number) => boolean): number => {
    const later = codes.slice(distance)
    return later.filter((code, index) => isAlike(code, codes[index] ?? Number.NaN)).length / later.length
  }
  if (shareAt(1, (a, b) => Math.abs(a - b) <= 1) > maxNeighbours) return true
  for (let distance = 1; distance <= rest.length / 2; distance += 1) {
    if (shareAt(distance, (a, b) => a === b) > maxRepeated) return true
  }
  return false
}
