/** A bar that fills: a known part of a whole, or, with `percent` null, only that something goes on. */
import { cx } from './class-names.ts';

export function ProgressBar({ percent, label, flowing = true, className }: Readonly<{ percent: number | null; label: string; flowing?: boolean; className?: string }>) {
  const shown = percent ?? 100;
  return (
    <div
      role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} {...(percent === null ? {} : { 'aria-valuenow': Math.round(percent) })}
      className={cx('h-1.5 overflow-hidden rounded-full bg-hover', className)}
    >
      <div
        className={cx('h-full rounded-full bg-accent transition-[width] duration-500 ease-out', flowing && 'water-flow animate-flow', percent === null && 'opacity-50')}
        style={{ width: `${Math.min(100, Math.max(0, shown))}%` }}
      />
    </div>
  );
}
