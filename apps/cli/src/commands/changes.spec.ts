import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const folder = new URL('./', import.meta.url)

describe('A7: commands that change something', () => {
  it('go through the API, which records them; only the schema is migrated without it', () => {
    const direct = readdirSync(folder)
      .filter((name) => name.endsWith('.command.ts'))
      .filter((name) => readFileSync(new URL(name, folder), 'utf8').includes("import('#libs/database')"))
    expect(direct).toEqual(['migrate.command.ts'])
  })
})
