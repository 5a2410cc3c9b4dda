/** A field that filters what a page shows. */
import { Icon } from '../ui/icon.tsx';

export function SearchBox({ label, value, onChange }: Readonly<{ label: string; value: string; onChange: (words: string) => void }>) {
  return (
    <label className="relative min-w-0 flex-1 basis-52 sm:max-w-xs">
      <span className="sr-only">{label}</span>
      <Icon name="search" className="pointer-events-none absolute top-1/2 left-3 -translate-y-1/2 text-muted" />
      <input type="search" value={value} onChange={(event) => onChange(event.target.value)} placeholder={label} className="input pl-10" />
    </label>
  );
}
