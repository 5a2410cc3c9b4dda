import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { builtinRoles, defineRoles, permissions } from '../src/roles.ts';

test('a redefined built-in role holds exactly what it says', () => {
  const roles = defineRoles({ viewer: { list_nodes: true } });
  expect([...roles.get('viewer')?.permissions ?? []]).toEqual(['list_nodes']);
  expect(roles.get('viewer')?.allowed.allowed_nodes).toEqual([]);
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

test('names from the prototype are not roles', () => {
  expect(() => defineRoles({ a: { inherits: 'constructor' } })).toThrow(expect.objectContaining({ code: 'config.invalid' }));
});

test('every permission is somebody’s and the worker’s only one is to run jobs', () => {
  const held = new Set([...builtinRoles.values()].flatMap((role) => [...role.permissions]));
  expect(permissions.filter((permission) => !held.has(permission))).toEqual([]);
  expect([...builtinRoles.get('worker')?.permissions ?? []]).toEqual(['run_jobs']);
  expect(builtinRoles.get('none')?.permissions.size).toBe(0);
});

/** The blocks of the pipeline server's own documentation, cell by cell. */
test('admin, viewer and operator hold the documented permissions of the pipeline API', () => {
  const table: Record<string, Record<string, boolean>> = JSON.parse(readFileSync(new URL('pipeline-roles.json', import.meta.url), 'utf8')) as Record<string, Record<string, boolean>>;
  for (const [name, cells] of Object.entries(table)) {
    for (const [permission, expected] of Object.entries(cells)) {
      expect([name, permission, builtinRoles.get(name)?.permissions.has(permission)]).toEqual([name, permission, expected]);
    }
  }
});
