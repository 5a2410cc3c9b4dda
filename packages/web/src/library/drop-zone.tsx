/** Two ways to add files: drop them anywhere on the page, or choose them. */
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { Button } from '../ui/button.tsx';
import { cx } from '../ui/class-names.ts';
import { Icon } from '../ui/icon.tsx';

type FilesProps = Readonly<{ onFiles: (files: readonly File[]) => void }>;

export function UploadButton({ onFiles }: FilesProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <Button tone="primary" onClick={() => input.current?.click()}><Icon name="upload" />Upload</Button>
      <input
        ref={input} type="file" multiple hidden aria-label="Files to upload"
        onChange={(event) => {
          onFiles([...(event.target.files ?? [])]);
          event.target.value = '';    // so that the same file can be chosen again
        }}
      />
    </>
  );
}

/** A strip that invites; while files are dragged over the window, the whole page is the target. */
export function DropZone({ onFiles }: FilesProps) {
  const [dragging, setDragging] = useState(false);
  const take = useEffectEvent(onFiles);
  useEffect(() => {
    const end = new AbortController();
    const options = { signal: end.signal };
    const holdsFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') === true;
    addEventListener('dragover', (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      setDragging(true);
    }, options);
    addEventListener('dragleave', (event) => { if (event.relatedTarget === null) setDragging(false); }, options);
    addEventListener('drop', (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      setDragging(false);
      take([...(event.dataTransfer?.files ?? [])]);
    }, options);
    return () => end.abort();
  }, []);
  return (
    <>
      <p className="mb-5 hidden items-center justify-center gap-2.5 rounded-2xl border border-dashed border-edge px-4 py-4 text-sm text-muted pointer-fine:flex">
        <Icon name="upload" className="text-accent" />Drop files anywhere on this page to upload them
      </p>
      <div className={cx('pointer-events-none fixed inset-0 z-50 grid place-items-center p-4 transition-opacity', dragging ? 'opacity-100' : 'opacity-0')} aria-hidden="true">
        <div className="grid size-full place-items-center rounded-3xl border-4 border-dashed border-accent bg-accent-soft/90">
          <p className="flex items-center gap-3 text-xl font-semibold text-accent-strong"><Icon name="upload" className="size-8" />Let go to upload</p>
        </div>
      </div>
    </>
  );
}
