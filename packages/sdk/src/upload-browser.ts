/** An upload in a browser. `fetch` there reports no progress of what it sends; XMLHttpRequest does. */
import { WeirError } from '@weir/contracts/errors';
import { toRemoteError } from './remote-error.ts';

type UploadEvents = Readonly<{ signal?: AbortSignal | undefined; onProgress?: (sentBytes: number) => void }>;

/** Sends the blob and returns the text of a reply of 200..299. Errors: `RemoteError`, `server.unreachable`, the signal's reason. */
export function uploadWithProgress(url: URL, blob: Blob, headers: Readonly<Record<string, string>>, events: UploadEvents): Promise<string> {
  const { signal, onProgress } = events;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const request = newRequest();
    const abort = (): void => request.abort();
    const settle = (finish: () => void): void => {
      signal?.removeEventListener('abort', abort);
      finish();
    };
    request.upload.onprogress = ({ loaded }) => onProgress?.(loaded);
    request.onload = () => settle(() => {
      if (request.status >= 200 && request.status < 300) resolve(request.responseText);
      else reject(toRemoteError(request.status, request.responseText));
    });
    request.onerror = () => settle(() => reject(new WeirError('server.unreachable', 'The connection broke during the upload; nothing was stored. Try again.')));
    request.onabort = () => settle(() => reject(signal?.reason ?? new DOMException('The upload was cancelled.', 'AbortError')));
    signal?.addEventListener('abort', abort);
    request.open('POST', url.href);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(blob);
  });
}

/** The part of XMLHttpRequest that is used here; Node's types do not know it. */
type UploadRequest = {
  status: number;
  responseText: string;
  upload: { onprogress: ((event: { loaded: number }) => void) | null };
  onload: (() => void) | null;
  onerror: (() => void) | null;
  onabort: (() => void) | null;
  open: (method: string, url: string) => void;
  setRequestHeader: (name: string, value: string) => void;
  send: (body: Blob) => void;
  abort: () => void;
};

function newRequest(): UploadRequest {
  const constructor: unknown = Reflect.get(globalThis, 'XMLHttpRequest');
  if (typeof constructor !== 'function') throw new WeirError('internal', 'This browser has no XMLHttpRequest; use a current one.');
  return Reflect.construct(constructor, []) as UploadRequest;
}
