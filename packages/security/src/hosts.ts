/** Host names that the server answers to: keeps a foreign name that was made to resolve here (DNS rebinding) out. */
import { WeirError } from '@weir/contracts/errors';
import { Generations } from './generations.ts';

/** A host and a port, empty for any. */
type HostPort = Readonly<{ host: string; port: string }>;

/** `allows` takes the `Host` header, or `:authority`, as it came. */
export type HostRules = Readonly<{ allows(header: string | undefined): boolean }>;

const maxNames = 200;
const maxHeaderLength = 262;
const mostSeen = 1_000;
const hostPattern = /^(?<host>[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?|\[[0-9a-f:.]+\])(?::(?<port>[0-9]{1,5}))?$/;

/**
 * Compiles at most 200 names or addresses (`media.example.com`, `127.0.0.1`, `[::1]`), with a port if only that one is meant.
 * Case and a trailing dot make no difference. Anything else is `config.invalid`.
 */
export function compileHosts(names: readonly string[]): HostRules {
  if (names.length > maxNames) throw new WeirError('config.invalid', 'Name at most 200 hosts.');
  const allowed = new Set(names.map((name) => {
    const parsed = parseHost(name);
    if (parsed === undefined) throw new WeirError('config.invalid', `${JSON.stringify(name.slice(0, 80))} is no host; write media.example.com, [::1] or media.example.com:8443.`);
    return keyOf(parsed);
  }));
  /** Spellings that were allowed: most clients send one and the same. */
  const seen = new Generations<true>(mostSeen);
  return {
    allows(header = '') {
      if (seen.get(header) !== undefined) return true;
      const parsed = parseHost(header);
      const isAllowed = parsed !== undefined && (allowed.has(keyOf(parsed)) || allowed.has(keyOf({ ...parsed, port: '' })));
      if (isAllowed) seen.set(header, true);
      return isAllowed;
    },
  };
}

function parseHost(text: string): HostPort | undefined {
  if (text.length > maxHeaderLength) return undefined;
  const { host, port = '' } = hostPattern.exec(text.toLowerCase())?.groups ?? {};
  if (host === undefined || host.includes('..') || Number(port) > 65_535) return undefined;
  return { host: host.endsWith('.') ? host.slice(0, -1) : host, port };
}

const keyOf = ({ host, port }: HostPort): string => `${host}:${port}`;
