/** The answer of the gate: yes or no, and every clause that it looked at. */
import { Link } from '@tanstack/react-router';
import type { ExplainRequest, Explanation } from '@weir/contracts/access';
import type { input } from 'zod';
import { cx } from '../../ui/class-names.ts';
import { Icon } from '../../ui/icon.tsx';
import { Section } from '../../ui/page.tsx';

export function Verdict({ request, explanation }: Readonly<{ request: input<typeof ExplainRequest>; explanation: Explanation }>) {
  const { allowed, code, reason, steps } = explanation;
  const who = request.principal ?? `Somebody with the role ${request.role ?? ''}`;
  return (
    <Section title="Answer">
      <div role="status" className={cx('flex items-start gap-3 rounded-xl p-4', allowed ? 'bg-accent-soft text-accent-strong' : 'bg-danger-soft text-danger')}>
        <Icon name={allowed ? 'check' : 'close'} className="mt-0.5 size-5" />
        <div className="min-w-0">
          <p className="font-semibold break-words">{`${who} ${allowed ? 'may' : 'may not'} do this.`}</p>
          <p className="text-sm break-words">{allowed ? `Admitted by: ${reason}.` : `Refused by: ${reason}. The answer to the request is ${code ?? 'an error'}.`}</p>
        </div>
      </div>
      <h3 className="mt-5 mb-1 text-sm font-semibold">Clause by clause</h3>
      <ol className="divide-y divide-line">
        {steps.map(({ clause, held, about, why }, index) => (
          <li key={index} className="flex items-start gap-3 py-2.5">
            <span className={cx('mt-0.5', held ? 'text-accent' : 'text-danger')}><Icon name={held ? 'check' : 'close'} /><span className="sr-only">{held ? 'held' : 'failed'}</span></span>
            <div className="min-w-0">
              <p className="text-sm break-words">{why}</p>
              <p className="text-[0.8125rem] break-words text-muted">{about === null ? clause : `${clause} · ${about}`}</p>
            </div>
          </li>
        ))}
      </ol>
      {request.principal !== undefined && request.principal !== 'anonymous' && (
        <p className="mt-3 border-t border-line pt-3 text-sm"><Link to="/access/principals/$name" params={{ name: request.principal }} className="link">All that {request.principal} can do</Link></p>
      )}
    </Section>
  );
}
