import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { manifestSchema } from '../manifest/manifest.schema.js'
import { explanationText } from './explanation-text.js'

const mmse = { title: 'MMSE score', unit: 'points', value: 24, contribution: 1.2 }
const age = { title: 'Age', unit: 'years', value: 72, contribution: 0.4 }
const education = { title: 'Education', unit: 'years', value: 16, contribution: -0.3 }
const sex = { title: 'Sex', value: 0, word: 'female', contribution: -0.1 }
const volume = { title: 'Normalised whole-brain volume', value: null, contribution: 0.2 }

describe('explanationText', () => {
  it('names the strongest inputs, each with its direction, and those not given', () => {
    expect(explanationText([age, mmse, education, volume, sex])).toBe(
      'The MMSE score of 24 points raised the estimate most, followed by the age of 72 years and the missing ' +
        'normalised whole-brain volume; the education of 16 years lowered it. ' +
        'Not given: normalised whole-brain volume. Decision support, not diagnosis.',
    )
  })

  it('speaks of lowering first where that is the stronger direction', () => {
    expect(explanationText([sex, { ...age, contribution: 0.05 }], 'For research only.')).toBe(
      'The sex "female" lowered the estimate; the age of 72 years raised it. For research only.',
    )
  })

  it('leaves out what hardly counts', () => {
    expect(explanationText([mmse, { ...age, contribution: 0.001 }])).toBe(
      'The MMSE score of 24 points raised the estimate. Decision support, not diagnosis.',
    )
  })

  it('says so when nothing moved the estimate', () => {
    expect(explanationText([{ ...age, contribution: 0 }])).toContain('No input moved the estimate')
  })

  it.each(['Vitamin D level', 'Écart'])('takes the first word of %s for an ordinary one', (title) => {
    const lowered = title.charAt(0).toLowerCase() + title.slice(1)
    expect(explanationText([{ ...volume, title }])).toContain(`The missing ${lowered} raised`)
  })

  it('keeps the names and acronyms in the titles of the shipped models, and no other capital', () => {
    const models = new URL('../../../../models/', import.meta.url)
    const titles = readdirSync(models)
      .filter((name) => name !== 'training')
      .flatMap((name) => {
        const content: unknown = JSON.parse(readFileSync(new URL(`${name}/1/manifest.json`, models), 'utf8'))
        return manifestSchema.parse(content).inputs.map(({ title }) => title)
      })
    const shown = titles.map((title) => explanationText([{ ...volume, title }]).match(/^The missing (.*) raised/)?.[1])
    const kept = titles.filter((title, index) => shown[index] === title)
    expect([...new Set(kept)].sort()).toEqual([
      'APOE e4 alleles',
      'Benton Visual Retention Test',
      'CES-D',
      'Isaacs Set Test',
      'MMSE',
    ])
    const lowered = titles.map((title) => title.charAt(0).toLowerCase() + title.slice(1))
    expect(shown).toEqual(titles.map((title, index) => (kept.includes(title) ? title : lowered[index])))
  })
})
