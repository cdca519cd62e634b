import { expect, it } from 'vitest'
import { hasLoneSurrogate } from './json-parser.js'

it.each([
  [String.raw`"\ud800"`, true],
  [String.raw`"\uDFFF"`, true],
  [String.raw`{"\ud83d":1}`, true],
  [String.raw`"\ud83d\ud83d\ude00"`, true],
  [String.raw`"\\\ud800"`, true],
  [String.raw`"\ud83d\ude00"`, false],
  [String.raw`"\uD83D\uDE00 and \u00e9"`, false],
  [String.raw`"\\ud800"`, false],
  ['"😀"', false],
])('half of a surrogate pair is found in JSON: %s', (text, expected) => expect(hasLoneSurrogate(text)).toBe(expected))
