import { MantineProvider } from '@mantine/core'
import './mantine.css'
import './font.css'
import './theme.css'
import { setNonce } from 'get-nonce'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Console } from './console.tsx'
import { signInByLink } from './session/start-link.ts'
import { cssVariables, theme } from './theme.ts'

// Styles that are made while the page runs carry the nonce that the server gave to this page.
const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? ''
if (nonce !== '') setNonce(nonce)

const root = document.getElementById('root')
if (!root) throw new Error('The page has no #root')

const link = await signInByLink()
createRoot(root).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariables}
      defaultColorScheme="auto"
      getStyleNonce={() => nonce}
    >
      <Console link={link} />
    </MantineProvider>
  </StrictMode>,
)
