/** The four levels of a policy, each with what it means. */
import { Radio } from '@base-ui/react/radio';
import { RadioGroup } from '@base-ui/react/radio-group';
import type { PolicyLevel } from '@weir/contracts/policies';
import { Icon, type IconName } from '../ui/icon.tsx';

const levels: readonly Readonly<{ level: PolicyLevel; icon: IconName; title: string; text: string }>[] = [
  { level: 'private', icon: 'lock', title: 'Private', text: 'You, those you name, and links' },
  { level: 'encrypted', icon: 'shield', title: 'Encrypted', text: 'As private, and kept encrypted on disk for good' },
  { level: 'protected', icon: 'people', title: 'Signed in', text: 'Everyone with an account here' },
  { level: 'public', icon: 'globe', title: 'Public', text: 'Anyone, without signing in' },
];

export function LevelChoice({ value, onChange }: Readonly<{ value: PolicyLevel; onChange: (level: PolicyLevel) => void }>) {
  return (
    <RadioGroup aria-label="Level" value={value} onValueChange={onChange} className="grid gap-2 sm:grid-cols-2">
      {levels.map(({ level, icon, title, text }) => (
        <Radio.Root
          key={level} value={level} nativeButton render={<button type="button" />}
          className="flex items-start gap-3 rounded-xl border border-line p-3 text-left hover:bg-hover data-checked:border-accent data-checked:bg-accent-soft data-checked:shadow-[inset_0_0_0_1px_var(--color-accent)]"
        >
          <Icon name={icon} className="mt-0.5 text-accent" />
          <span>
            <span className="block text-sm font-medium">{title}</span>
            <span className="block text-[0.8125rem] text-muted">{text}</span>
          </span>
        </Radio.Root>
      ))}
    </RadioGroup>
  );
}
