import { Copy } from './copy.tsx'
import classes from './json.module.css'

/** A value as JSON; a long one scrolls. */
export const Json = ({ value, label }: { readonly value: unknown; readonly label: string }) => {
  const text = JSON.stringify(value, null, 2) ?? 'null'
  return (
    <div className={classes.json}>
      <div className={classes.copy}>
        <Copy text={text} label={`Copy ${label}`} />
      </div>
      <pre tabIndex={0} aria-label={label}>
        {text}
      </pre>
    </div>
  )
}
