import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { allowlists, builtinRoles, defineRoles, permissions, pipelinePermissions, type Allowlist } from '../src/roles.ts';

test('a redefined built-in role holds exactly what it says', () => {
  const roles = defineRoles({ viewer: { list_nodes: true } });
  expect([...roles.get('viewer')?.permissions ?? []]).toEqual(['list_nodes']);
  expect(roles.get('viewer')?.allowed.allowed_nodes.patterns).toEqual([]);
});

test('inherits starts from another role; a false takes away', () => {
  const roles = defineRoles({ editor: { inherits: 'user', share_content: false, view_audit: true } });
  const held = roles.get('editor')?.permissions ?? new Set();
  expect(held.has('share_content')).toBe(false);
  expect(held.has('view_audit')).toBe(true);
  expect(held.has('write_content')).toBe(true);
});

test('a role may start from the built-in role of its own name', () => {
  expect(defineRoles({ user: { inherits: 'user', view_metrics: true } }).get('user')?.permissions.has('view_metrics')).toBe(true);
});

test.each([
  ['an unknown role', { a: { inherits: 'nobody' } }],
  ['a circle', { a: { inherits: 'b' }, b: { inherits: 'a' } }],
  ['roles of which none manages users', { admin: { list_nodes: true } }],
])('%s is refused at the start', (_name, definitions) => {
  expect(() => defineRoles(definitions)).toThrow(expect.objectContaining({ code: 'config.invalid' }));
});

test.each<[string, Parameters<typeof defineRoles>[0], string, RegExp]>([
  ['an unknown role', { a: { inherits: 'nobody' } }, 'a', /permissions\.roles\.a\] inherits "nobody"/], ['an unknown role further up', { a: { inherits: 'b' }, b: { inherits: 'nobody' } }, 'b', /permissions\.roles\.b\] inherits "nobody"/],
  ['a circle', { a: { inherits: 'b' }, b: { inherits: 'c' }, c: { inherits: 'a' } }, 'c', /leads back to itself/], ['a circle by way of a built-in role that is redefined', { viewer: { inherits: 'mine' }, mine: { inherits: 'viewer' } }, 'mine', /leads back to itself/],
  ['that nobody manages users', { admin: { list_nodes: true } }, 'admin', /inherits = "admin"/],
])('the definition that makes %s is named, for the settings to point at', (_name, definitions, role, message) => {
  expect(() => defineRoles(definitions)).toThrow(expect.objectContaining({ facts: { role }, message: expect.stringMatching(message) }));
});

test('names from the prototype are not roles', () => {
  expect(() => defineRoles({ a: { inherits: 'constructor' } })).toThrow(expect.objectContaining({ code: 'config.invalid' }));
});

test('every permission is somebody’s and the worker’s only one is to run jobs', () => {
  const held = new Set([...builtinRoles.values()].flatMap((role) => [...role.permissions]));
  expect(permissions.filter((permission) => !held.has(permission))).toEqual([]);
  expect([...builtinRoles.get('worker')?.permissions ?? []]).toEqual(['run_jobs']);
  expect(builtinRoles.get('none')?.permissions.size).toBe(0);
});

type Cells = Record<string, Record<string, boolean>>;
/** The blocks of the pipeline server's own documentation, cell by cell; `user` is its multi-tenant block. */
const documented = JSON.parse(readFileSync(new URL('pipeline-roles.json', import.meta.url), 'utf8')) as Cells;
const cells = Object.entries(documented).flatMap(([name, row]) => Object.entries(row).map(([permission, expected]) => [name, permission, expected] as const));

test.each(cells)('the documented role %s: %s is %s', (name, permission, expected) => {
  expect(builtinRoles.get(name)?.permissions.has(permission)).toBe(expected);
});

const anything = ['audio::opus::decoder', 'core::file_writer', 'plugin::native::x', 'oneshot/a.yml', 'samples/audio/system/a.opus'];
const audioAndCore = (name: string): boolean => name.startsWith('audio::') || name.startsWith('core::');
const tenants = (name: string): boolean => name.startsWith('audio::') || name === 'core::passthrough' || name === 'core::text_chunker';
test.each<[string, Record<Allowlist, (name: string) => boolean>]>([
  ['admin', { allowed_samples: () => true, allowed_nodes: () => true, allowed_plugins: () => true, allowed_assets: () => true }],
  ['viewer', { allowed_samples: () => true, allowed_nodes: () => true, allowed_plugins: () => false, allowed_assets: () => true }],
  ['operator', { allowed_samples: () => true, allowed_nodes: audioAndCore, allowed_plugins: () => false, allowed_assets: () => true }],
  ['user', { allowed_samples: () => false, allowed_nodes: tenants, allowed_plugins: () => false, allowed_assets: () => false }],
  ['none', { allowed_samples: () => false, allowed_nodes: () => false, allowed_plugins: () => false, allowed_assets: () => false }],
])('the documented allowlists of %s', (name, expected) => {
  for (const list of allowlists) for (const thing of [...anything, 'core::passthrough', 'core::text_chunker']) expect([list, thing, builtinRoles.get(name)?.allowed[list].allows(thing)]).toEqual([list, thing, expected[list](thing)]);
});

test.each(pipelinePermissions)('streamkit §2.11: %s is refused where a role of one’s own, or a built-in one that is redefined, leaves it out', (permission) => {
  const others = Object.fromEntries(pipelinePermissions.filter((other) => other !== permission).map((other) => [other, true]));
  const roles = defineRoles({ tenant: others, user: others, operator: { inherits: 'none', ...others }, admin: { manage_users: true, ...others } });
  for (const name of ['tenant', 'user', 'operator', 'admin']) expect(pipelinePermissions.filter((other) => roles.get(name)?.permissions.has(other) !== true), name).toEqual([permission]);
});

test.each(allowlists)('streamkit §2.11: %s allows nothing where it is left out, what is inherited where it is, and what is written where it is', (list) => {
  const roles = defineRoles({ bare: { list_nodes: true }, heir: { inherits: 'admin' }, own: { inherits: 'admin', [list]: ['audio::*'] }, closed: { inherits: 'admin', [list]: [] } });
  const verdicts = ['bare', 'heir', 'own', 'closed'].map((name) => ['audio::x', 'video::x'].map((thing) => roles.get(name)?.allowed[list].allows(thing)));
  expect(verdicts).toEqual([[false, false], [true, true], [true, false], [false, false]]);
});

test('a bad pattern of a role stops the start and is named', () => {
  expect(() => defineRoles({ a: { allowed_nodes: ['core::*', 'audio::[x'] } })).toThrow(expect.objectContaining({ code: 'config.invalid', message: expect.stringContaining('"audio::[x"') }));
});
