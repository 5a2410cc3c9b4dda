/** One event in the list. */
import type { AuditEvent } from '@weir/contracts/audit';
import { formatInstant, formatRelative } from '../../format.ts';
import { Badge } from '../../ui/badge.tsx';
import { useNow } from '../../use-now.ts';

export function AuditRow({ event, onOpen }: Readonly<{ event: AuditEvent; onOpen: (event: AuditEvent) => void }>) {
  const nowMs = useNow(30_000);
  const { action, object, principal, address, decision, reason, count, at } = event;
  return (
    <li className="relative flex flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2.5 hover:bg-hover sm:px-5">
      <div className="min-w-0 flex-1 basis-64">
        <button type="button" className="max-w-full text-left font-mono text-[0.8125rem] font-medium break-all after:absolute after:inset-0" onClick={() => onOpen(event)}>
          {action}<span className="font-normal text-muted">{object === '' ? '' : ` ${object}`}</span>
        </button>
        <p className="truncate text-[0.8125rem] text-muted">{[principal === '' ? 'nobody signed in' : principal, address === '' ? '' : `from ${address}`, reason].filter((part) => part !== '').join(' · ')}</p>
      </div>
      {count > 1 && <Badge tone="neutral">{`${count} times`}</Badge>}
      {decision === 'refused' && <Badge tone="danger">Refused</Badge>}
      <span className="text-[0.8125rem] text-muted tabular-nums" title={formatInstant(at)}>{formatRelative(at, nowMs)}</span>
    </li>
  );
}
