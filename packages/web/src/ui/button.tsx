/** Buttons, and links that look like them. */
import type { ComponentProps } from 'react';
import { cx } from './class-names.ts';

export type ButtonTone = 'primary' | 'plain' | 'quiet' | 'danger' | 'withdraw';

const tones: Readonly<Record<ButtonTone, string>> = {
  primary: 'bg-accent text-on-accent hover:bg-accent-strong',
  plain: 'border border-line bg-surface text-ink hover:bg-hover',
  quiet: 'text-muted hover:bg-hover hover:text-ink',
  withdraw: 'border border-line bg-surface text-danger hover:border-danger hover:bg-danger-soft',
  danger: 'bg-danger text-on-danger hover:opacity-90',
};

export const buttonClass = (tone: ButtonTone = 'plain', className?: string): string => cx(
  'inline-flex min-h-10 items-center justify-center gap-2 rounded-[0.625rem] px-3.5 py-1.5 text-sm font-medium whitespace-nowrap select-none',
  'transition-colors duration-100 disabled:cursor-not-allowed disabled:opacity-55', tones[tone], className,
);

export function Button({ tone, className, type = 'button', ...rest }: ComponentProps<'button'> & Readonly<{ tone?: ButtonTone }>) {
  return <button type={type} className={buttonClass(tone, className)} {...rest} />;
}

/** A square button whose only content is an icon; `label` is its name. */
export function IconButton({ label, className, children, type = 'button', ...rest }: ComponentProps<'button'> & Readonly<{ label: string }>) {
  return (
    <button
      type={type} aria-label={label} title={label} {...rest}
      className={cx('inline-flex size-9 shrink-0 items-center justify-center rounded-[0.625rem] text-muted transition-colors duration-100 hover:bg-hover hover:text-ink', className)}
    >
      {children}
    </button>
  );
}
