/** What asks for a fresh proof of who uses this page waits here until there is one, and is sent again once. */
import { useSyncExternalStore } from 'react';

const againWithinMs = 30_000;
let asked: Promise<boolean> | null = null;
let answer: ((proved: boolean) => void) | null = null;
const listeners = new Set<() => void>();

/** `fetch` that asks for a proof where the server does, and then repeats the request; without one the refusal is the answer. */
export async function fetchWithProof(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(input, init);
  if (!await asksForProof(response) || !await askPerson()) return response;
  // The deadline of the first try went on while the person was asked.
  return fetch(input, { ...init, signal: AbortSignal.timeout(againWithinMs) });
}

/** Whether the dialog is to be shown. */
export const useProofAsked = (): boolean => useSyncExternalStore(subscribe, () => asked !== null);

export const answerProof = (proved: boolean): void => answer?.(proved);

/** Requests that come while one is asked share its answer. */
function askPerson(): Promise<boolean> {
  asked ??= new Promise<boolean>((resolve) => { answer = resolve; }).finally(() => {
    asked = null;
    answer = null;
    tell();
  });
  tell();
  return asked;
}

async function asksForProof(response: Response): Promise<boolean> {
  if (response.status !== 403) return false;
  const body: unknown = await response.clone().json().catch(() => undefined);
  return JSON.stringify(body).includes('"code":"step_up.required"');
}

function tell(): void {
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
