/** Where a browser's request may come from: origins, the rule for cookies, and the host names that the server answers to. */
import { WeirError } from '@weir/contracts/errors';

const maxOriginLength = 300;
const maxPatterns = 200;
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** Scheme, host without the wildcard, and port as `URL` prints it (empty for the scheme's own), `*` for any. */
type OriginPattern = Readonly<{ scheme: string; host: string; port: string; anySubdomain: boolean }>;

/** Origins that are allowed; `allows` takes the header as it came. */
export type OriginRules = Readonly<{ allows(origin: string): boolean }>;

/**
 * Compiles a list of at most 200 of: an exact origin (`https://app.example.com:8443`), any subdomain but not the name itself
 * (`https://*.example.com`), any port (`http://localhost:*`). `*` alone, a pattern without http or https, or with more than
 * an origin in it is `config.invalid`.
 */
export function compileOrigins(patterns: readonly string[]): OriginRules {
  if (patterns.length > maxPatterns) throw new WeirError('config.invalid', 'Name at most 200 origins.');
  const compiled = patterns.map(parsePattern);
  return {
    allows(origin) {
      const url = parseOrigin(origin);
      return url !== undefined && compiled.some((pattern) => matchesPattern(url, pattern));
    },
  };
}

/**
 * Whether evidence that a page can't add by itself (a token, a signature) may come with this `Origin`: absent, as programs
 * send it, or on one of the lists.
 */
export function originAllowed(origin: string | undefined, ...lists: readonly OriginRules[]): boolean {
  return origin === undefined || lists.some((list) => list.allows(origin));
}

/** What a browser says of a request. `opensSocket` for a WebSocket upgrade, which is a GET and yet acts. */
export type BrowserRequest = Readonly<{ method: string; origin: string | undefined; fetchSite: string | undefined; opensSocket: boolean }>;

/**
 * Whether a session cookie counts as evidence, since a browser adds it whoever wrote the page. An `Origin` must be our own.
 * `Sec-Fetch-Site` must not speak of another site. Without both, or opened by hand (`none`), the request may only read.
 */
export function cookieCounts({ method, origin, fetchSite, opensSocket }: BrowserRequest, own: OriginRules): boolean {
  const onlyReads = safeMethods.has(method) && !opensSocket;
  if (origin !== undefined && !own.allows(origin)) return false;
  if (fetchSite === 'same-origin') return true;
  if (fetchSite === 'none') return onlyReads;
  // Older browsers send no Sec-Fetch-Site, and an Origin with whatever changes something.
  return fetchSite === undefined && (origin !== undefined || onlyReads);
}

/**
 * Whether what a reverse proxy says of the caller counts. A browser brings it along like a cookie, so the rule is that of cookies; programs,
 * which say nothing of an origin or a site, may act as well.
 */
export function proxyCounts(request: BrowserRequest, own: OriginRules): boolean {
  return (request.origin === undefined && request.fetchSite === undefined) || cookieCounts(request, own);
}

/** An origin as browsers send it: canonical, http or https. `null` (sandboxed and local pages) is none. */
function parseOrigin(origin: string): URL | undefined {
  if (origin.length > maxOriginLength) return undefined;
  const url = URL.parse(origin);
  return url !== null && isWeb(url) && url.origin === origin ? url : undefined;
}

function matchesPattern(url: URL, { scheme, host, port, anySubdomain }: OriginPattern): boolean {
  if (url.protocol !== scheme || (port !== '*' && url.port !== port)) return false;
  return anySubdomain ? isSubdomain(url.hostname, host) : url.hostname === host;
}

function parsePattern(pattern: string): OriginPattern {
  const anyPort = pattern.endsWith(':*');
  const anySubdomain = pattern.includes('://*.');
  const plain = (anyPort ? pattern.slice(0, -2) : pattern).replace('://*.', '://');
  const url = plain.length <= maxOriginLength && !plain.includes('*') ? URL.parse(plain) : null;
  // A path, a query or a name and password would show in the address beside the origin.
  if (url === null || !isWeb(url) || url.href !== `${url.origin}/`) {
    throw new WeirError('config.invalid', `${JSON.stringify(pattern.slice(0, 80))} is no origin; write https://app.example.com, https://*.example.com or http://localhost:*.`);
  }
  return { scheme: url.protocol, host: url.hostname, port: anyPort ? '*' : url.port, anySubdomain };
}

/** One or more whole labels before `host`; a browser's URL parser lets more pass as a host name than any name server has. */
function isSubdomain(name: string, host: string): boolean {
  return name.endsWith(`.${host}`) && name.slice(0, -host.length - 1).split('.').every((label) => /^[a-z0-9_-]{1,63}$/.test(label));
}

const isWeb = (url: URL): boolean => url.protocol === 'http:' || url.protocol === 'https:';
