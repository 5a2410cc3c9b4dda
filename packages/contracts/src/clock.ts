/** Time and identifiers, injected where a test must hold them. */
import { monotonicFactory } from 'ulid';

/** Milliseconds since 1970, UTC. */
export type Clock = () => number;
export const systemClock: Clock = Date.now;

const nextUlid = monotonicFactory();
/** A new ULID: 26 characters, sortable by time, unique within the process, its random part from node:crypto. */
export const newUlid = (atMs: number = Date.now()): string => nextUlid(atMs);
