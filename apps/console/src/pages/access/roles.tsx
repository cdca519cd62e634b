import { useSession, type Role } from '../../session/session.tsx'
import { Panel } from '../../ui/page.tsx'
import { Status } from '../../ui/status.tsx'
import { Table } from '../../ui/table.tsx'
import classes from './access.module.css'

/** What each role may do beside what the ones before it may. */
const roles: readonly { readonly role: Role; readonly may: string; readonly by: string }[] = [
  {
    role: 'viewer',
    may: 'See predictions, batches, measurements, forecasts, tasks, schedules, models, queues and workers.',
    by: 'dashboards, people who only look',
  },
  {
    role: 'submitter',
    may: 'Submit predictions, batches and measurements, cancel batches, delete measurements, results and people’s data.',
    by: 'doctors, applications that send work',
  },
  {
    role: 'operator',
    may: 'Revoke and retry tasks; control queues, workers, schedules and models; see and test webhooks.',
    by: 'those who keep the service running',
  },
  {
    role: 'admin',
    may: 'Manage keys, webhooks and everyone’s sessions; read the audit trail.',
    by: 'few people',
  },
]

/** What the roles mean. */
export const Roles = () => {
  const { me } = useSession()
  return (
    <Panel title="Roles" hint="Each role may also do what the ones above it may." isFlush>
      <Table
        caption="Roles"
        rows={roles}
        keyOf={({ role }) => role}
        columns={[
          {
            title: 'Role',
            cell: ({ role }) => (role === me.role ? <Status tone="info">{`${role}, yours`}</Status> : role),
          },
          { title: 'May', cell: ({ may }) => <div className={classes.words}>{may}</div> },
          { title: 'For', isMinor: true, cell: ({ by }) => <div className={classes.words}>{by}</div> },
        ]}
        footer={
          <p className={classes.foot}>
            A viewer or submitter key can be bound to one person: it reaches that person’s data and nobody else’s.
          </p>
        }
      />
    </Panel>
  )
}
