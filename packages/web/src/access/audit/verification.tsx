/** Whether the log is as it was written, and the first event that is not. */
import type { AuditVerification } from '@weir/contracts/audit';
import { formatInstant } from '../../format.ts';
import { cx } from '../../ui/class-names.ts';
import { Icon } from '../../ui/icon.tsx';

export function Verification({ result: { intact, events, checkpoints, first_bad: flaw, begins_after: cuts } }: Readonly<{ result: AuditVerification }>) {
  return (
    <div role="status" className={cx('mb-5 flex items-start gap-3 rounded-xl p-4', intact ? 'bg-accent-soft text-accent-strong' : 'bg-danger-soft text-danger')}>
      <Icon name={intact ? 'check' : 'warning'} className="mt-0.5 size-5" />
      <div className="min-w-0 text-sm">
        <p className="text-base font-semibold">{intact ? 'The log is intact' : `The log is not intact: an event was ${flawText[flaw?.kind ?? 'changed']}`}</p>
        <p>{`${events} events and ${checkpoints} signed checkpoints were walked.`}</p>
        {flaw !== null && <p className="break-words">{`The first that is wrong: number ${flaw.sequence} of ${flaw.writer}${flaw.id === null ? '' : ` (${flaw.id})`}. ${flaw.reason}`}</p>}
        {cuts.map(({ writer, sequence, at }) => <p key={writer} className="break-words">{`The events of ${writer} up to number ${sequence} were removed on purpose, ${formatInstant(at)}, with a signature.`}</p>)}
        {intact && <p>An export kept elsewhere shows it also to who does not trust this machine.</p>}
      </div>
    </div>
  );
}

const flawText = {
  changed: 'changed', removed: 'removed', inserted: 'inserted', reordered: 'moved', truncated: 'cut off at the end', rewritten: 'rewritten', unsigned: 'not covered by a good signature', differs: 'other than in the export',
} as const;
