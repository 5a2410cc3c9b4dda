/** A labelled input with its hint and its error. */
import { useId, type ReactNode } from 'react';

type FieldProps = Readonly<{
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
  children: (attributes: Readonly<{ id: string; 'aria-describedby': string | undefined; 'aria-invalid': boolean }>) => ReactNode;
}>;

export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const note = error ?? hint;
  const noteId = note === undefined ? undefined : `${id}-note`;
  return (
    <div className="min-w-0">
      <label htmlFor={id} className="mb-1 block text-sm font-medium">{label}</label>
      {children({ id, 'aria-describedby': noteId, 'aria-invalid': error !== undefined })}
      {note !== undefined && <p id={noteId} className={error === undefined ? 'mt-1 text-[0.8125rem] text-muted' : 'mt-1 text-[0.8125rem] text-danger'}>{note}</p>}
    </div>
  );
}
