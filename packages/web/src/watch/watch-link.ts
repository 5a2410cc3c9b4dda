/** Links to the watch page. The grant stands in the fragment, which browsers send to no server. */

export type WatchLink = Readonly<{ cid: string; grant: string }>;

const longestPart = 8_192;

/** The parts of `#cid=…&grant=…`, or null when one is missing. */
export function readWatchLink(fragment: string): WatchLink | null {
  const parts = new URLSearchParams(fragment.replace(/^#/, ''));
  const cid = parts.get('cid') ?? '';
  const grant = parts.get('grant') ?? '';
  const usable = (text: string): boolean => text !== '' && text.length <= longestPart;
  return usable(cid) && usable(grant) ? { cid, grant } : null;
}

export const watchAddress = (origin: string, { cid, grant }: WatchLink): string =>
  `${origin}/watch#${new URLSearchParams({ cid, grant }).toString()}`;
