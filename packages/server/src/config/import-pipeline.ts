/** Turns the configuration of a StreamKit server (`skit.toml`) into a `weir.toml`, and says what became of each setting. */
import { allowlists, builtinRoles, pipelinePermissions } from '@weir/security/roles';
import { stringify } from 'smol-toml';
import { parseText, problemsOf } from './load.ts';

type Tree = Readonly<Record<string, unknown>>;
/** `notes` are sentences for the person who imports: what was added, what is left out, what has still to be decided. */
export type Imported = Readonly<{ text: string; notes: readonly string[] }>;

/** Settings that mean here what they mean there, by their place there. */
const sameMeaning: ReadonlyMap<string, string> = new Map(Object.entries({
  'server.tls': 'server.tls', 'server.cert_path': 'server.cert_path', 'server.key_path': 'server.key_path', 'server.cors.allowed_origins': 'server.cors.allowed_origins',
  'security.allowed_file_paths': 'security.allowed_file_paths', 'security.allowed_write_paths': 'security.allowed_write_paths', 'log.console_level': 'log.level',
  'permissions.default_role': 'permissions.default_role', 'permissions.allow_insecure_no_auth': 'permissions.allow_insecure_no_auth',
  'permissions.role_header': 'permissions.role_header', 'permissions.max_concurrent_sessions': 'permissions.max_concurrent_sessions', 'permissions.max_concurrent_oneshots': 'permissions.max_concurrent_oneshots',
}));
/** Empty text there means that it is not set. */
const emptyIsUnset: ReadonlySet<string> = new Set(['server.cert_path', 'server.key_path']);
const roleKeys: ReadonlySet<string> = new Set([...pipelinePermissions, ...allowlists]);

/** `name` is what the text is called in messages. `config.invalid` if it is no TOML. */
export function importPipelineConfig(source: string, name: string): Imported {
  const notes: string[] = [];
  const result: Record<string, unknown> = {};
  for (const [place, value] of settingsOf(parseText(source, name))) {
    const target = sameMeaning.get(place);
    if (place === 'server.address') importAddress(value, result, notes);
    else if (target !== undefined) {
      if (!(emptyIsUnset.has(place) && value === '')) put(result, target, value);
    } else if (!place.startsWith('permissions.roles.')) notes.push(`${place} is left out: Weir has no such setting.`);
  }
  importRoles(at(parseText(source, name), 'permissions', 'roles'), result, notes);
  addAdvice(result, notes);
  const text = `# Imported from ${name}. \`weir config check\` says what is still to be decided.\n${stringify(result)}`;
  const problems = problemsOf(text, 'weir.toml');
  return { text, notes: problems === undefined ? notes : [...notes, `Weir does not start with this yet:\n${problems}`] };
}

/** Every setting with its dotted place; tables are walked, lists are values. */
function* settingsOf(tree: Tree, prefix = ''): Generator<readonly [place: string, value: unknown]> {
  for (const [key, value] of Object.entries(tree)) {
    if (isTree(value)) yield* settingsOf(value, `${prefix}${key}.`);
    else yield [`${prefix}${key}`, value];
  }
}

function importAddress(value: unknown, result: Record<string, unknown>, notes: string[]): void {
  const { host, port } = /^\[?(?<host>[0-9a-fA-F.:]+?)\]?:(?<port>\d{1,5})$/.exec(String(value))?.groups ?? {};
  if (host === undefined) {
    notes.push(`server.address ${JSON.stringify(value)} is left out: write [server] address and port.`);
    return;
  }
  put(result, 'server.address', host);
  put(result, 'server.port', Number(port));
}

/** A role keeps exactly what it says of the pipeline API; under the name of a built-in role it gets Weir's own permissions from that one. */
function importRoles(roles: Tree, result: Record<string, unknown>, notes: string[]): void {
  for (const [name, role] of Object.entries(roles)) {
    if (!isTree(role)) continue;
    const place = `permissions.roles.${name}`;
    for (const key of Object.keys(role).filter((key) => !roleKeys.has(key))) notes.push(`${place}.${key} is left out: there is no such permission.`);
    if (builtinRoles.has(name)) {
      put(result, `${place}.inherits`, name);
      notes.push(`[${place}] got inherits = "${name}": without it the role would hold none of Weir's own permissions${name === 'admin' ? ', and nobody could manage principals' : ''}.`);
    } else {
      notes.push(`[${place}] holds none of Weir's own permissions; inherits = "user" would give it those of a user.`);
    }
    for (const permission of pipelinePermissions) put(result, `${place}.${permission}`, role[permission] ?? false);
    for (const list of allowlists) put(result, `${place}.${list}`, role[list] === undefined ? [] : list === 'allowed_samples' ? withoutFolder(role[list]) : role[list]);
  }
}

/** Older files name samples with the folder that they lie in. */
const withoutFolder = (patterns: unknown): unknown =>
  (Array.isArray(patterns) ? patterns.map((pattern: unknown) => (typeof pattern === 'string' ? pattern.replace(/^(\.\/)?(samples\/pipelines\/)?/, '') : pattern)) : patterns);

function addAdvice(result: Record<string, unknown>, notes: string[]): void {
  const { default_role: defaultRole, role_header: roleHeader } = at(result, 'permissions');
  if (defaultRole === undefined) notes.push('permissions.default_role is not set: there it means admin, here it means none, so callers have to sign in.');
  if (roleHeader !== undefined) notes.push('permissions.role_header is believed from proxies that you name: set [server] trusted_proxies, and permissions.proxy_secret as the proof.');
}

function put(tree: Record<string, unknown>, place: string, value: unknown): void {
  const [key = '', ...rest] = place.split('.');
  if (rest.length === 0) {
    tree[key] = value;
    return;
  }
  const below: unknown = tree[key];
  const inner: Record<string, unknown> = isTree(below) ? { ...below } : {};
  put(inner, rest.join('.'), value);
  tree[key] = inner;
}

function at(tree: Tree, ...keys: readonly string[]): Tree {
  const [key, ...rest] = keys;
  if (key === undefined) return tree;
  const below = tree[key];
  return isTree(below) ? at(below, ...rest) : {};
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
