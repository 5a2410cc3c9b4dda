/** Small labels: what may be done with a content, and how a job is. */
import type { PolicyLevel } from '@weir/contracts/policies';
import type { JobState } from '@weir/contracts/jobs';
import { cx } from './class-names.ts';
import { Icon, type IconName } from './icon.tsx';

type Tone = 'accent' | 'warn' | 'danger' | 'neutral';

const tones: Readonly<Record<Tone, string>> = {
  accent: 'bg-accent-soft text-accent-strong',
  warn: 'bg-warn-soft text-warn',
  danger: 'bg-danger-soft text-danger',
  neutral: 'bg-hover text-muted',
};

export function Badge({ tone, icon, children, className }: Readonly<{ tone: Tone; icon?: IconName; children: string; className?: string }>) {
  return (
    <span className={cx('inline-flex items-center gap-1.5 rounded-full px-2.5 py-0.5 text-xs font-medium whitespace-nowrap', tones[tone], className)}>
      {icon !== undefined && <Icon name={icon} className="size-3.5" />}
      {children}
    </span>
  );
}

const levels: Readonly<Record<PolicyLevel | 'none', Readonly<{ tone: Tone; icon: IconName; text: string }>>> = {
  none: { tone: 'neutral', icon: 'lock', text: 'Owner only' },
  private: { tone: 'neutral', icon: 'lock', text: 'Private' },
  encrypted: { tone: 'accent', icon: 'shield', text: 'Encrypted' },
  protected: { tone: 'accent', icon: 'people', text: 'Signed in' },
  public: { tone: 'warn', icon: 'globe', text: 'Public' },
};

export function LevelBadge({ level }: Readonly<{ level: PolicyLevel | null }>) {
  const { tone, icon, text } = levels[level ?? 'none'];
  return <Badge tone={tone} icon={icon}>{text}</Badge>;
}

const states: Readonly<Record<JobState, Readonly<{ tone: Tone; text: string }>>> = {
  queued: { tone: 'neutral', text: 'Queued' },
  assigned: { tone: 'accent', text: 'Starting' },
  running: { tone: 'accent', text: 'Running' },
  verifying: { tone: 'accent', text: 'Verifying' },
  canceling: { tone: 'warn', text: 'Cancelling' },
  completed: { tone: 'neutral', text: 'Done' },
  failed: { tone: 'danger', text: 'Failed' },
  canceled: { tone: 'warn', text: 'Cancelled' },
};

export const jobStateText = (state: JobState): string => states[state].text;

export function JobBadge({ state }: Readonly<{ state: JobState }>) {
  return <Badge tone={states[state].tone} {...(state === 'completed' ? { icon: 'check' as const } : {})}>{states[state].text}</Badge>;
}
