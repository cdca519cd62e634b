import { Notice } from '../ui/notice.tsx'
import { SignInForm } from './sign-in-form.tsx'
import classes from './sign-in-page.module.css'

interface SignInPageProps {
  readonly linkFailure: string | undefined
  readonly onSignedIn: () => Promise<unknown>
}

export const SignInPage = ({ linkFailure, onSignedIn }: SignInPageProps) => (
  <main className={classes.page}>
    <div className={classes.card}>
      <img src="./icon.svg" alt="" width={44} height={44} />
      <h1>MemoryGuard</h1>
      <p className={classes.lead}>Risk of dementia, explained and forecast. Decision support, not diagnosis.</p>
      {linkFailure !== undefined && <Notice kind="warn">{linkFailure}</Notice>}
      <SignInForm onSignedIn={onSignedIn} mayLeave />
    </div>
  </main>
)
