/** Stands for an object that `get` returns once it has been started; every use before that throws. */
export const startedLater = <Started extends object>(get: () => Started | undefined, what: string): Started => {
  const started = (): Started => {
    const found = get()
    if (!found) throw new Error(`${what} has not been started`)
    return found
  }
  return new Proxy({} as Started, {
    get: (_, member) => Reflect.get(started(), member) as unknown,
    set: (_, member, value) => Reflect.set(started(), member, value),
  })
}
