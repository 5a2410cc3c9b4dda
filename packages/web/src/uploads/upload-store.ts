/** Uploads of this tab. They live outside the pages, so that changing the page does not end them; two run at a time. */
import * as content from '@weir/sdk/content';
import * as library from '@weir/sdk/library';
import { useSyncExternalStore } from 'react';
import { api, queryClient } from '../api.ts';
import { explain } from '../explain.ts';
import { addSample, type Sample } from './transfer-rate.ts';

const simultaneous = 2;

export type Upload = Readonly<{
  id: number;
  file: File;
  state: 'waiting' | 'sending' | 'storing' | 'done' | 'failed';
  samples: readonly Sample[];
  libraryId: string | null;
  error: string | null;
}>;

let uploads: readonly Upload[] = [];
let nextId = 1;
const listeners = new Set<() => void>();
const cancels = new Map<number, AbortController>();

export const useUploads = (): readonly Upload[] => useSyncExternalStore(subscribe, () => uploads);

export function addUploads(files: readonly File[]): void {
  const added = files.map((file): Upload => ({ id: nextId++, file, state: 'waiting', samples: [], libraryId: null, error: null }));
  replaceAll([...uploads, ...added]);
  startNext();
}

/** Stops an upload and forgets it; the server stores nothing of it. */
export function cancelUpload(id: number): void {
  cancels.get(id)?.abort();
  replaceAll(uploads.filter((upload) => upload.id !== id));
}

export function retryUpload(id: number): void {
  change(id, { state: 'waiting', samples: [], error: null });
  startNext();
}

export const clearEnded = (): void => replaceAll(uploads.filter(({ state }) => state !== 'done' && state !== 'failed'));

export const isUnderWay = ({ state }: Upload): boolean => state === 'waiting' || state === 'sending' || state === 'storing';

function startNext(): void {
  const running = uploads.filter(({ state }) => state === 'sending' || state === 'storing').length;
  for (const upload of uploads.filter(({ state }) => state === 'waiting').slice(0, simultaneous - running)) void send(upload);
}

/** Never throws: a failure is a state of the upload, shown where it is listed. */
async function send({ id, file }: Upload): Promise<void> {
  const cancel = new AbortController();
  cancels.set(id, cancel);
  change(id, { state: 'sending', samples: [{ atMs: performance.now(), bytes: 0 }] });
  try {
    const stored = await content.upload(api, file, { filename: file.name, signal: cancel.signal, onProgress: (bytes) => noteProgress(id, bytes) });
    await queryClient.invalidateQueries({ queryKey: ['library'] });
    const { items } = await library.list(api, { limit: 50 });
    change(id, { state: 'done', libraryId: items.find((item) => item.cid === stored.cid)?.library_id ?? null });
    await queryClient.invalidateQueries({ queryKey: ['status'] });
  } catch (error) {
    change(id, { state: 'failed', error: explain(error) });
  } finally {
    cancels.delete(id);
    startNext();
  }
}

function noteProgress(id: number, bytes: number): void {
  const upload = uploads.find((candidate) => candidate.id === id);
  if (upload === undefined) return;
  change(id, {
    samples: addSample(upload.samples, { atMs: performance.now(), bytes }),
    state: bytes >= upload.file.size ? 'storing' : 'sending',
  });
}

function change(id: number, changes: Partial<Upload>): void {
  replaceAll(uploads.map((upload) => (upload.id === id ? { ...upload, ...changes } : upload)));
}

function replaceAll(next: readonly Upload[]): void {
  uploads = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
