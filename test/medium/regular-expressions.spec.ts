import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { RegExpParser } from '@eslint-community/regexpp'
import { analyse } from 'scslre'
import ts from 'typescript'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folders = ['apps', 'libs']

const sources = folders.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\/src\/.*\.tsx?$/.test(`/${file}`) && !file.endsWith('.spec.ts'))
    .map((file) => join(folder, file)),
)

/** The regular expressions of a source file, with their lines. */
const expressionsOf = (file: string): { at: string; literal: string }[] => {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true)
  const found: { at: string; literal: string }[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart())
      found.push({ at: `${file}:${line + 1}`, literal: node.text })
    }
    // One that is put together at run time cannot be judged here.
    if (ts.isNewExpression(node) && node.expression.getText() === 'RegExp') {
      throw new Error(`${file} makes a regular expression at run time`)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** How a literal could take more than linear time on some text; empty if it cannot. */
const superlinear = (literal: string): readonly string[] => {
  const end = literal.lastIndexOf('/')
  const parser = new RegExpParser()
  const flags = parser.parseFlags(literal.slice(end + 1))
  const { reports } = analyse({ pattern: parser.parsePattern(literal.slice(1, end), 0, undefined, flags), flags })
  return reports.map(({ type, exponential }) => `${type}${exponential ? ', exponential' : ''}`)
}

it('A3: the check knows the expression that took a second for 60,000 digits', () => {
  expect(superlinear(String.raw`/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/`)).not.toEqual([])
})

it('A3: every regular expression takes linear time, whatever the text', () => {
  const all = sources.flatMap(expressionsOf)
  expect(all.length).toBeGreaterThan(30)
  expect(all.flatMap(({ at, literal }) => superlinear(literal).map((how) => `${at} ${literal} ${how}`))).toEqual([])
})
