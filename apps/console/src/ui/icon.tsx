/** Outlines on a grid of 24, drawn for this console. */
const paths = {
  overview: 'M4 13h6V4H4z M14 20h6v-9h-6z M4 20h6v-3H4z M14 7h6V4h-6z',
  predict: 'M4 6h10 M4 12h7 M4 18h5 M15 15l3 3 5-6',
  person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8z M4 21c0-4 4-6 8-6s8 2 8 6',
  batch: 'M4 7l8-4 8 4-8 4z M4 12l8 4 8-4 M4 17l8 4 8-4',
  tasks: 'M5 6h14 M5 12h14 M5 18h9',
  plans: 'M5 4h14v16H5z M8 9l1.5 1.5L12 8 M8 15l1.5 1.5L12 14 M14 9h2 M14 15h2',
  failures: 'M12 4l9 16H3z M12 10v4 M12 17v.1',
  queues: 'M4 6h16v4H4z M4 14h16v4H4z M8 8h.1 M8 16h.1',
  workers: 'M7 7h10v10H7z M10 3v4 M14 3v4 M10 17v4 M14 17v4 M3 10h4 M3 14h4 M17 10h4 M17 14h4',
  models: 'M12 3l8 4.5v9L12 21l-8-4.5v-9z M4 7.5l8 4.5 8-4.5 M12 12v9',
  schedules: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z M12 7v5l3 2',
  webhooks: 'M12 8a3 3 0 1 0-2.6-4.5 M9.5 8.5L7 14 M7 14a3 3 0 1 0 3 3h6 M13.5 6.5L16.5 13 M17 13a3 3 0 1 1-2 5.2',
  audit: 'M6 3h9l4 4v14H6z M9 11h6 M9 15h6 M9 7h3',
  access: 'M8 14a4 4 0 1 1 3.5-6H21v4h-3v3h-4v-3h-2.5A4 4 0 0 1 8 14z M8 10v.1',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14z M16 16l5 5',
  menu: 'M4 6h16 M4 12h16 M4 18h16',
  check: 'M5 12l5 5 9-10',
  copy: 'M9 9h11v11H9z M5 15H4V4h11v1',
  download: 'M12 4v11 M7 11l5 5 5-5 M4 20h16',
  print: 'M7 9V4h10v5 M7 17H4V9h16v8h-3 M7 14h10v6H7z',
} as const

export type IconName = keyof typeof paths

/** A picture beside words; it says nothing of its own. */
export const Icon = ({ name, size = 18 }: { readonly name: IconName; readonly size?: number }) => (
  <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false" style={{ flex: 'none' }}>
    <path
      d={paths[name]}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.7"
      strokeLinecap="round"
      strokeLinejoin="round"
    />
  </svg>
)
