import { Skeleton } from '@mantine/core'
import classes from './loading.module.css'

/** In the place of lines that are being read, as high as they will be. */
export const Loading = ({ lines = 3, height = 20 }: { readonly lines?: number; readonly height?: number }) => (
  <div className={classes.lines} aria-busy="true">
    <span className="mg-hidden" role="status">
      Loading
    </span>
    {Array.from({ length: lines }, (_, line) => (
      <Skeleton key={line} height={height} radius="sm" width={`${100 - ((line * 17) % 30)}%`} />
    ))}
  </div>
)

/** In the place of the console until it is known who is signed in: as the page that loads it. */
export const Opening = () => (
  <div className="mg-opening">
    <img src="./icon.svg" alt="" width={44} height={44} /> MemoryGuard
  </div>
)

/** In the place of a whole page. */
export const PageLoading = () => (
  <div className={classes.page}>
    <Loading lines={6} height={28} />
  </div>
)
