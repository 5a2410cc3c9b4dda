/** One event whole: who, what, the answer, and its place in the chain. */
import { Link } from '@tanstack/react-router';
import type { AuditEvent } from '@weir/contracts/audit';
import { buttonClass, Button } from '../../ui/button.tsx';
import { CopyBlock } from '../../ui/copy.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Facts } from '../../ui/page.tsx';

const classes: Readonly<Record<AuditEvent['class'], string>> = { A: 'A: a change of rights, keys or policies', B: 'B: something was opened', C: 'C: refusals, counted together' };
/** What the simulator can be asked about. */
const askable = /^(?:job|grant|token|session|holding):[0-9A-Z]{26}$/;

type EventProps = Readonly<{ event: AuditEvent; previous: AuditEvent | undefined; onOpen: (event: AuditEvent) => void; onClose: () => void }>;

/** `previous`: the one before it in the chain, where the list holds it. */
export function AuditEventDialog({ event, previous, onOpen, onClose }: EventProps) {
  const mono = (text: string) => <span className="font-mono text-xs break-all">{text}</span>;
  const { principal, action, object, address } = event;
  const about = { principal: principal === '' ? 'anonymous' : principal, action, ...(address === '' ? {} : { address }), ...(askable.test(object) ? { object } : {}) };
  return (
    <Dialog open onClose={onClose} title={action} description={event.decision === 'allowed' ? 'It was allowed.' : 'It was refused.'}>
      <Facts rows={[
        ['At', event.at], ['Principal', principal === '' ? 'nobody signed in' : principal], ['From', address === '' ? '–' : address], ['Object', object === '' ? '–' : mono(object)],
        ['Reason', event.reason === '' ? '–' : event.reason], ['Count', String(event.count)], ['Class', classes[event.class]], ['Request', event.request_id === '' ? '–' : mono(event.request_id)],
      ]} />
      <h3 className="mt-4 mb-1.5 border-t border-line pt-4 text-sm font-semibold">In the chain</h3>
      <Facts rows={[['Writer', mono(`${event.writer}, number ${event.sequence}`)], ['Hash', mono(event.hash)], ['Before it', mono(event.previous_hash)]]} />
      {previous !== undefined && previous.hash !== event.previous_hash && <p role="alert" className="mt-2 text-sm text-danger">The event before it has another hash: the chain is broken here.</p>}
      <details className="mt-4 border-t border-line pt-3 text-sm">
        <summary className="mb-2 font-medium">As JSON</summary>
        <CopyBlock text={JSON.stringify(event, null, 2)} label="The event" />
      </details>
      <div className="mt-5 flex flex-wrap justify-end gap-2">
        {previous !== undefined && <Button onClick={() => onOpen(previous)}>The one before it</Button>}
        <Link to="/access/simulator" search={about} className={buttonClass()}>Simulate it now</Link>
        <Button tone="primary" onClick={onClose}>Close</Button>
      </div>
    </Dialog>
  );
}
