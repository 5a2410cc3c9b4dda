/** For how long something works: a choice of times, in seconds. */
import { Field } from './field.tsx';

const lifetimes = [
  { seconds: 3_600, label: '1 hour' }, { seconds: 86_400, label: '1 day' }, { seconds: 604_800, label: '7 days' },
  { seconds: 2_592_000, label: '30 days' }, { seconds: 31_536_000, label: '1 year' },
];

type LifetimeFieldProps = Readonly<{ seconds: number; onChange: (seconds: number) => void }>;

export function LifetimeField({ seconds, onChange }: LifetimeFieldProps) {
  return (
    <Field label="Works for">
      {(attributes) => (
        <select {...attributes} className="input" value={seconds} onChange={(event) => onChange(Number(event.target.value))}>
          {lifetimes.map((lifetime) => <option key={lifetime.seconds} value={lifetime.seconds}>{lifetime.label}</option>)}
        </select>
      )}
    </Field>
  );
}
