/** One choice of a few, as connected buttons. */
import { Radio } from '@base-ui/react/radio';
import { RadioGroup } from '@base-ui/react/radio-group';
import { Icon, type IconName } from './icon.tsx';

type Option<T extends string> = Readonly<{ value: T; label: string; icon?: IconName }>;

type SegmentsProps<T extends string> = Readonly<{ label: string; value: T; options: readonly Option<T>[]; onChange: (value: T) => void }>;

export function Segments<T extends string>({ label, value, options, onChange }: SegmentsProps<T>) {
  return (
    <RadioGroup aria-label={label} value={value} onValueChange={onChange} className="flex rounded-[0.75rem] border border-line bg-sunken p-0.5">
      {options.map((option) => (
        <Radio.Root
          key={option.value} value={option.value} nativeButton render={<button type="button" />} aria-label={option.label}
          className="flex min-h-8 items-center gap-1.5 rounded-[0.625rem] px-3 text-sm font-medium text-muted hover:text-ink data-checked:bg-raised data-checked:text-ink data-checked:shadow-card"
        >
          {option.icon === undefined ? option.label : <Icon name={option.icon} />}
        </Radio.Root>
      ))}
    </RadioGroup>
  );
}
