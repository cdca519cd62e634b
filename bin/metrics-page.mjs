const intro = `# Metrics

Every api and every worker serves its metrics at \`/metrics\` in the text format of Prometheus: the api on its port, a worker on
\`--health-port\`. Labels are names of routes, queues, tasks and models, never identifiers.

- Scrape every api and every worker. The gauges of queues and workers come from the database, and every api shows the same
  ones: take the maximum over instances, \`max by (queue) (memoryguard_queue_waiting_tasks)\`.
- Percentiles of waits and runs over months are in [statistics.md](statistics.md), which needs no Prometheus.
- Alert rules are in \`deploy/prometheus/alerts.yml\`, explained in [operations.md](operations.md); a dashboard is in
  \`deploy/grafana/memoryguard.json\`.
- Autoscalers ask \`GET /v1/queues/{queue}/scaling\`, whose \`desired_workers\` is enough to clear the queue in
  \`target_seconds\` (30).
`

const outro = `\`process_*\` and \`nodejs_*\` are those of the process: CPU, memory, open files, garbage collection, and
\`nodejs_eventloop_lag_p99_seconds\`, the delay of its event loop.
`

const rowOf = ({ name, type, labelNames, help }) =>
  `| \`${name}\` | ${type} | ${labelNames.map((label) => `\`${label}\``).join(', ')} | ${help} |`

/** The page that lists the metrics of ours in some registries, by the title of their section. */
export const metricsPage = (registries) => {
  const sections = Object.entries(registries).map(([title, registry]) => {
    const own = registry.getMetricsAsArray().filter(({ name }) => name.startsWith('memoryguard_'))
    return [`## ${title}`, '', '| Name | Type | Labels | Meaning |', '| - | - | - | - |', ...own.map(rowOf), ''].join(
      '\n',
    )
  })
  return [intro, ...sections, outro].join('\n')
}
