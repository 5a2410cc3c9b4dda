/** The uploads under way, in a corner of every page. */
import { Link } from '@tanstack/react-router';
import { useEffect } from 'react';
import { formatBytes, formatDuration } from '../format.ts';
import { IconButton } from '../ui/button.tsx';
import { Icon } from '../ui/icon.tsx';
import { ProgressBar } from '../ui/progress.tsx';
import { etaSeconds, rateOf } from './transfer-rate.ts';
import { cancelUpload, clearEnded, isUnderWay, retryUpload, useUploads, type Upload } from './upload-store.ts';

export function UploadTray() {
  const uploads = useUploads();
  const underWay = uploads.filter(isUnderWay).length;
  useWarningBeforeLeaving(underWay > 0);
  if (uploads.length === 0) return null;
  return (
    <section aria-label="Uploads" className="card fixed right-3 bottom-[calc(4.25rem+env(safe-area-inset-bottom))] left-3 z-20 overflow-hidden shadow-float md:right-5 md:bottom-5 md:left-auto md:w-[24rem]">
      <header className="flex items-center border-b border-line py-1.5 pr-1.5 pl-4">
        <h2 className="flex-1 text-sm font-semibold">{underWay > 0 ? `Uploading ${underWay} ${underWay === 1 ? 'file' : 'files'}` : 'Uploads finished'}</h2>
        {underWay === 0 && <IconButton label="Close the list of uploads" onClick={clearEnded}><Icon name="close" /></IconButton>}
      </header>
      <ul tabIndex={0} aria-label="Files" className="max-h-[40dvh] divide-y divide-line overflow-y-auto -outline-offset-2">
        {uploads.map((upload) => <UploadRow key={upload.id} upload={upload} />)}
      </ul>
    </section>
  );
}

function UploadRow({ upload }: Readonly<{ upload: Upload }>) {
  const { id, file, state, libraryId } = upload;
  return (
    <li className="flex items-center gap-2 py-2.5 pr-1.5 pl-4">
      <div className="min-w-0 flex-1">
        <p className="truncate text-sm font-medium">{file.name}</p>
        {(state === 'sending' || state === 'storing') && (
          <ProgressBar percent={state === 'storing' ? null : percentOf(upload)} label={`Upload of ${file.name}`} className="mt-1.5 mb-1" />
        )}
        <p className={state === 'failed' ? 'text-[0.8125rem] text-danger' : 'text-[0.8125rem] text-muted tabular-nums'}>{describe(upload)}</p>
      </div>
      {state === 'done' && libraryId !== null && (
        <Link to="/library/$libraryId" params={{ libraryId }} className="link mr-2.5 text-sm font-medium">Open</Link>
      )}
      {state === 'failed' && <IconButton label={`Try ${file.name} again`} onClick={() => retryUpload(id)}><Icon name="retry" /></IconButton>}
      {state !== 'done' && <IconButton label={`Cancel ${file.name}`} onClick={() => cancelUpload(id)}><Icon name="close" /></IconButton>}
    </li>
  );
}

const sentBytes = ({ samples }: Upload): number => samples.at(-1)?.bytes ?? 0;
const percentOf = (upload: Upload): number => (upload.file.size === 0 ? 100 : (sentBytes(upload) * 100) / upload.file.size);

function describe(upload: Upload): string {
  const { file, state, samples, error } = upload;
  if (state === 'waiting') return `Waiting · ${formatBytes(file.size)}`;
  if (state === 'storing') return 'Checking and storing…';
  if (state === 'done') return `Stored · ${formatBytes(file.size)}`;
  if (state === 'failed') return error ?? 'Failed';
  const rate = rateOf(samples);
  const eta = etaSeconds(samples, file.size);
  return [
    `${formatBytes(sentBytes(upload))} of ${formatBytes(file.size)}`,
    rate === null ? '' : `${formatBytes(Math.round(rate))}/s`,
    eta === null ? '' : `${formatDuration(eta)} left`,
  ].filter((part) => part !== '').join(' · ');
}

function useWarningBeforeLeaving(active: boolean): void {
  useEffect(() => {
    if (!active) return undefined;
    const warn = (event: BeforeUnloadEvent): void => event.preventDefault();
    addEventListener('beforeunload', warn);
    return () => removeEventListener('beforeunload', warn);
  }, [active]);
}
