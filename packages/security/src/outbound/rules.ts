/** Where requests may go: addresses parsed once, and rules of scheme, host, port and path that they are held against. */
import { isIP } from 'node:net';
import { WeirError } from '@weir/contracts/errors';
import { compileNetworks, type NetworkScope } from '../networks.ts';

/**
 * `url` is `https://api.example.org/v1/*`: a `*` ends a path that is a beginning, or is the whole first label of a host
 * (`*.example.org` is every name below it, not itself). Without a path every path is meant. The query is not looked at.
 * `networks` are the private networks that the host may lie in.
 */
export type RuleText = Readonly<{ url: string; networks?: readonly string[] }>;

export type OutboundRule = Readonly<{
  /** `port` is empty where the scheme says it. */
  protocol: string; host: string; below: boolean; port: string; path: string; isBeginning: boolean;
  /** Addresses beside the public ones. */
  networks: NetworkScope;
}>;

const longest = 4_096;
/** A name behind `*.` has at least two labels: nobody owns all names below `org`. */
const rulePattern = /^https?:\/\/(?:\*\.[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?|[^*/?#]+)(\/[^*?#]*\*?)?$/;

/**
 * The address of a request. Whoever decides about it must use what this returns and never the text again. Refused (`outbound.refused`):
 * anything but http and https, names and passwords, blanks, control characters and backslashes, host names that end in a dot.
 */
export function parseOutbound(text: string): URL {
  // What parsers disagree about is refused before any of them sees it.
  if (text.length > longest || !/^[\x21-\x5b\x5d-\x7e]+$/.test(text) || !/^https?:\/\/[^/?#]/i.test(text)) throw refused('It is not an http or https address.');
  const url = URL.parse(text);
  if (url === null || url.hostname.endsWith('.')) throw refused('It is not an http or https address.');
  if (/^https?:\/\/[^/?#]*@/i.test(text)) throw refused('An address with a name or password in it is refused; secrets go in headers.');
  url.hash = '';
  return url;
}

/** `config.invalid` for a rule that does not say exactly what it allows. */
export function compileRule({ url: text, networks = [] }: RuleText): OutboundRule {
  const parts = rulePattern.exec(text);
  if (parts === null) throw badRule(text);
  const path = parts[1];
  let url: URL;
  try {
    url = parseOutbound(text.replace('*.', '').replace(/\*$/, ''));
  } catch (cause) {
    throw new WeirError('config.invalid', badRule(text).message, { cause });
  }
  return {
    protocol: url.protocol, host: url.hostname, below: text.includes('://*.'), port: url.port, path: url.pathname,
    isBeginning: path === undefined || path.endsWith('*'), networks: compileNetworks(networks),
  };
}

/** Whether the rule names this address. */
export function matches({ protocol, host, below, port, path, isBeginning }: OutboundRule, url: URL): boolean {
  if (url.protocol !== protocol || url.port !== port) return false;
  if (below ? !url.hostname.endsWith(`.${host}`) : url.hostname !== host) return false;
  if (path === '/' && isBeginning) return true;
  // Behind an encoded slash or NUL a server may see another path than the one that was matched.
  return !/%(?:2f|5c|00|25)/i.test(url.pathname) && (isBeginning ? url.pathname.startsWith(path) : url.pathname === path);
}

/** The host as an address is written, or undefined for a name. */
export function literalOf({ hostname }: URL): string | undefined {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return isIP(bare) === 0 ? undefined : bare;
}

const refused = (sentence: string): WeirError => new WeirError('outbound.refused', sentence);
const badRule = (text: string): WeirError =>
  new WeirError('config.invalid', `${JSON.stringify(text.slice(0, 200))} is no rule; write https://host/path, https://host/beginning/* or https://*.example.org/.`);
