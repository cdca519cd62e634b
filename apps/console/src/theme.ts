import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core'

/** The accent: teal. White text on shade 7 has a contrast of 5.9 to 1. */
const teal: MantineColorsTuple = [
  '#e6f5f8',
  '#cfe9ef',
  '#a0d3df',
  '#6dbcce',
  '#44a9c0',
  '#2a99b3',
  '#17839b',
  '#0f6e84',
  '#0b5a6d',
  '#064657',
]

/** Slate, from text to the page, instead of Mantine's neutral greys. */
const dark: MantineColorsTuple = [
  '#e7ebf1',
  '#c3ccd8',
  '#a1aebf',
  '#6f7f93',
  '#3a4757',
  '#2b3644',
  '#1d2632',
  '#151c26',
  '#111820',
  '#0e131a',
]

const scrolledList = { withScrollArea: false, styles: { options: { maxHeight: 260, overflowY: 'auto' } } } as const

export const theme = createTheme({
  primaryColor: 'teal',
  primaryShade: { light: 7, dark: 7 },
  colors: { teal, dark },
  fontFamily: "'Inter Variable', system-ui, -apple-system, 'Segoe UI', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, monospace",
  defaultRadius: 'md',
  cursorType: 'pointer',
  headings: { fontWeight: '600' },
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: 'sm' } },
    Modal: { defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.45 } } },
    // The list itself scrolls, which the arrow keys of its field move; a box around it could be scrolled by pointer alone.
    Select: { defaultProps: scrolledList },
    MultiSelect: { defaultProps: scrolledList },
    Autocomplete: { defaultProps: scrolledList },
    Tooltip: { defaultProps: { withArrow: true, openDelay: 300 } },
  },
})

/** Mantine's own colours for text and lines do not reach AA on our surfaces: they are those of theme.css instead. */
export const cssVariables: CSSVariablesResolver = () => {
  const shared = {
    '--mantine-color-body': 'var(--mg-surface)',
    '--mantine-color-text': 'var(--mg-text)',
    '--mantine-color-dimmed': 'var(--mg-muted)',
    '--mantine-color-placeholder': 'var(--mg-muted)',
    '--mantine-color-anchor': 'var(--mg-accent)',
    '--mantine-color-default-border': 'var(--mg-line)',
    '--mantine-color-error': 'var(--mg-bad)',
    '--mantine-primary-color-light-color': 'var(--mg-accent)',
    '--mantine-primary-color-light': 'var(--mg-accent-soft)',
    '--mantine-primary-color-light-hover': 'var(--mg-accent-soft)',
    '--mantine-color-teal-light-color': 'var(--mg-accent)',
    '--mantine-color-teal-light': 'var(--mg-accent-soft)',
    '--mantine-color-teal-text': 'var(--mg-accent)',
    '--mantine-color-teal-outline': 'var(--mg-accent)',
  }
  return { variables: {}, light: shared, dark: shared }
}
