import type { ProtobufReader } from './protobuf-reader.js'

/** A field of a message: its number in the file, its value before it is met, and how it is read. */
interface Field<Value> {
  readonly number: number
  readonly absent: () => Value
  /** Returns the value after the field at the reader. */
  readonly read: (reader: ProtobufReader, before: Value) => Value
}

/** Reads one message. */
export type Decode<Message> = (reader: ProtobufReader) => Message

/** How a kind of message is read, by the names of its fields. A field that is not named is passed over. */
export const messageOf = <Message extends object>(fields: {
  readonly [Name in keyof Message]: Field<Message[Name]>
}): Decode<Message> => {
  const named = Object.entries(fields) as [string, Field<unknown>][]
  const byNumber = new Map(named.map(([name, field]) => [field.number, { name, field }]))
  return (reader) => {
    const values = Object.fromEntries(named.map(([name, { absent }]) => [name, absent()]))
    while (reader.next()) {
      const known = byNumber.get(reader.field)
      if (known) values[known.name] = known.field.read(reader, values[known.name])
      else reader.skip()
    }
    return values as Message
  }
}

const single =
  <Value>(absent: Value, read: Decode<Value>) =>
  (number: number): Field<Value> => ({ number, absent: () => absent, read })

const list =
  <Value>(add: (reader: ProtobufReader, into: Value[]) => void) =>
  (number: number): Field<Value[]> => ({
    number,
    absent: () => [],
    read: (reader, before) => {
      add(reader, before)
      return before
    },
  })

export const int = single(0, (reader) => reader.int())
export const optionalInt = single<number | undefined>(undefined, (reader) => reader.int())
export const float = single(0, (reader) => reader.float())
export const text = single('', (reader) => reader.text())
export const bytes = single<Uint8Array | undefined>(undefined, (reader) => reader.slice())
export const ints = list<number>((reader, into) => reader.ints(into))
export const floats = list<number>((reader, into) => reader.floats(into))
export const doubles = list<number>((reader, into) => reader.doubles(into))
export const texts = list<string>((reader, into) => into.push(reader.text()))

export const message = <Message>(number: number, decode: Decode<Message>): Field<Message | undefined> =>
  single<Message | undefined>(undefined, (reader) => decode(reader.message()))(number)

export const messages = <Message>(number: number, decode: Decode<Message>): Field<Message[]> =>
  list<Message>((reader, into) => into.push(decode(reader.message())))(number)

/** How many times the message has a field, whatever it holds. */
export const count = (number: number): Field<number> => ({
  number,
  absent: () => 0,
  read: (reader, before) => {
    reader.skip()
    return before + 1
  },
})
