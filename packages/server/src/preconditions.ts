/** Conditional changes (RFC 9110 §13.1): `If-Match` and `If-None-Match` against the version of what is changed. */
import type { IncomingHttpHeaders } from 'node:http';
import { WeirError } from '@weir/contracts/errors';

export const versionTag = (version: number): string => `"${version}"`;

/** Throws `request.conflict` when the caller has seen another version than there is, `request.invalid` for a tag that this server never gave. */
export function checkPreconditions(headers: IncomingHttpHeaders, current: Readonly<{ version: number; exists: boolean }>): void {
  const matches = readTags(headers['if-match']);
  const outdated = matches !== undefined && !(matches === '*' ? current.exists : matches.includes(versionTag(current.version)));
  const none = readTags(headers['if-none-match']);
  const taken = none !== undefined && (none === '*' ? current.exists : none.includes(versionTag(current.version)));
  if (outdated || taken) {
    throw new WeirError('request.conflict', 'It was changed since you read it; read it again, then decide.', { facts: { version: current.version } });
  }
}

function readTags(header: string | undefined): '*' | readonly string[] | undefined {
  if (header === undefined || header.trim() === '*') return header === undefined ? undefined : '*';
  const tags = header.slice(0, 1_000).split(',').map((tag) => tag.trim());
  if (!tags.every((tag) => /^"[0-9]{1,10}"$/.test(tag))) throw new WeirError('request.invalid', 'A condition names the ETag that a reply gave, such as "3", or *.');
  return tags;
}
