// For the image's HEALTHCHECK: whether the api or the worker of this container can make progress.
const ports = [process.env.PORT || 3000, process.env.WORKER_HEALTH_PORT || 8081]

const isAlive = async (port) => {
  const response = await fetch(`http://127.0.0.1:${port}/livez`)
  if (!response.ok) throw new Error(`port ${port} responded with ${response.status}`)
}

await Promise.any(ports.map(isAlive)).catch(({ errors }) => {
  process.stderr.write(`${errors.map(({ message }) => message).join('; ')}\n`)
  process.exitCode = 1
})
