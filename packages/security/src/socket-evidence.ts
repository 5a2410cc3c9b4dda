/** The token that a request brings, and where it was found: in a header, a cookie, or (where that is allowed) the address. */
import type { IncomingHttpHeaders } from 'node:http';
import { cookiesNamed } from './header-fields.ts';
import { EvidenceRefused } from './identity.ts';

export type PresentedToken = Readonly<{ token: string; from: 'header' | 'cookie' | 'query' }>;

const maxHeaderLength = 16_384;

/**
 * Two tokens, even equal ones, are refused: nobody should have to know which one counts. Of two such headers Node keeps the first alone in
 * `headers`, and both in `headersDistinct`. Undefined: none.
 */
export function presentedToken(
  { headers, headersDistinct, url = '/' }: Readonly<{ headers: IncomingHttpHeaders; headersDistinct?: NodeJS.Dict<string[]>; url?: string | undefined }>,
  { cookieName, allowQueryTokens = false }: Readonly<{ cookieName?: string | undefined; allowQueryTokens?: boolean | undefined }>,
): PresentedToken | undefined {
  const found: PresentedToken[] = [
    ...(headersDistinct?.['authorization'] ?? [headers.authorization]).flatMap(headerTokens).map((token) => ({ token, from: 'header' as const })),
    ...(cookieName === undefined ? [] : cookieTokens(headers.cookie, cookieName).map((token) => ({ token, from: 'cookie' as const }))),
    ...(allowQueryTokens ? queryTokens(url).map((token) => ({ token, from: 'query' as const })) : []),
  ];
  if (found.length > 1) throw new EvidenceRefused('two tokens');
  return found[0];
}

function headerTokens(header: string | undefined): string[] {
  if (header === undefined) return [];
  const token = /^Bearer ([A-Za-z0-9._-]{1,8192})$/i.exec(header)?.[1];
  if (token === undefined) throw new EvidenceRefused('authorization header');
  return [token];
}

function cookieTokens(header: string | undefined, name: string): string[] {
  if (header === undefined) return [];
  if (header.length > maxHeaderLength) throw new EvidenceRefused('cookie header');
  return cookiesNamed(header, name);
}

function queryTokens(url: string): string[] {
  const mark = url.indexOf('?');
  return mark === -1 ? [] : new URLSearchParams(url.slice(mark + 1)).getAll('token');
}
