/** A player reads one content in many ranges: the first is an opening and counts against the limits, those that follow do not. */
import { limitKey } from '@weir/security/networks';
import type { App } from './app.ts';
import type { Identified } from './evidence.ts';
import type { AnyRoute } from './route.ts';

/** How long a reading goes on without a request, and how many are remembered. */
const idleMs = 60_000;
const mostReadings = 20_000;

const readings = new WeakMap<App, Map<string, number>>();

function keyOf({ identity, grant }: Identified, address: string, parameters: unknown): string | undefined {
  if (typeof parameters !== 'object' || parameters === null || !('cid' in parameters) || typeof parameters.cid !== 'string') return undefined;
  return `${grant?.id ?? ''} ${identity.principal ?? ''} ${limitKey(address)} ${parameters.cid}`;
}

/** Whether this request continues a reading that was admitted within the last minute. */
export function isContinuation(app: App, declaration: AnyRoute['declaration'], identified: Identified, address: string, parameters: unknown): boolean {
  if (declaration.action !== 'content.read') return false;
  const key = keyOf(identified, address, parameters);
  const known = key === undefined ? undefined : readings.get(app)?.get(key);
  return known !== undefined && performance.now() - known < idleMs;
}

/** Remembers an admitted reading; returns true when it is a new one. */
export function noteReading(app: App, identified: Identified, address: string, parameters: unknown): boolean {
  const key = keyOf(identified, address, parameters);
  if (key === undefined) return true;
  let known = readings.get(app);
  if (known === undefined) readings.set(app, known = new Map<string, number>());
  const before = known.get(key);
  const now = performance.now();
  known.delete(key);
  known.set(key, now);
  for (const [oldest, at] of known) {
    if (known.size <= mostReadings && now - at < idleMs) break;
    known.delete(oldest);
  }
  return before === undefined || now - before >= idleMs;
}
