/** What the tests of the library have in common: a secret, two contents and an instant. */
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { contentId, rawCodec } from '../src/content-id.ts';

export const secretKey = randomBytes(48).toString('base64');
export const digest = randomBytes(32);
export const { cid } = contentId(rawCodec, digest);
export const other = contentId(rawCodec, randomBytes(32)).cid;
export const startMs = Date.parse('2026-01-01T00:00:00Z');
/** Any error with this code. */
export const code = (name: string): unknown => expect.objectContaining({ code: name });
