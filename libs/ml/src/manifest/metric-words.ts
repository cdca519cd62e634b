/** Words that mean the same, in lower case: where one of them is accepted, all are. */
const sameWords: readonly (readonly string[])[] = [
  ['female', 'f', 'woman', 'women'],
  ['male', 'm', 'man', 'men'],
  ['yes', 'y', 'true'],
  ['no', 'n', 'false'],
]

/** Characters of the longest word that is accepted. */
const maxWordLength = 64

const wordIndex = new WeakMap<Readonly<Record<string, number>>, ReadonlyMap<string, number>>()

/** The words in lower case with all that mean the same; made once for each vocabulary, because every request needs it. */
const indexOf = (words: Readonly<Record<string, number>>): ReadonlyMap<string, number> => {
  const made = wordIndex.get(words)
  if (made) return made
  const index = new Map(Object.entries(words).map(([word, value]) => [word.toLowerCase(), value]))
  for (const group of sameWords) {
    const known = group.find((word) => index.has(word))
    const value = known === undefined ? undefined : index.get(known)
    // A word of the vocabulary itself keeps its value.
    if (value !== undefined) for (const word of group) if (!index.has(word)) index.set(word, value)
  }
  wordIndex.set(words, index)
  return index
}

/** The number of a category's word, in any case and with blanks around it; undefined if the word is unknown. */
export const numberOfWord = (words: Readonly<Record<string, number>> | undefined, word: string): number | undefined =>
  words && word.length <= maxWordLength ? indexOf(words).get(word.trim().toLowerCase()) : undefined
