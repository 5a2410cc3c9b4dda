/** Blocks of a pipeline server's documentation, pasted into weir.toml: each starts, or is refused with the one line to change. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { defineRoles } from '@weir/security/roles';
import { afterAll, expect, test } from 'vitest';
import { checkBind } from '../src/bind-gate.ts';
import { loadConfig } from '../src/config/load.ts';
import type { Config } from '../src/config/schema.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'weir-blocks-'));
const file = path.join(folder, 'weir.toml');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(text: string): Config {
  writeFileSync(file, text);
  const { config } = loadConfig({ file, environment: {} });
  checkBind(config, defineRoles(config.permissions.roles));
  return config;
}

const admin = `[permissions.roles.admin]
create_sessions = true
destroy_sessions = true
modify_sessions = true
tune_nodes = true
list_sessions = true
list_nodes = true
list_samples = true
read_samples = true
write_samples = true
delete_samples = true
access_all_sessions = true
load_plugins = true
delete_plugins = true
upload_assets = true
delete_assets = true
allowed_samples = ["*"]
allowed_nodes = ["*"]
allowed_plugins = ["*"]
allowed_assets = ["*"]
`;
const viewer = `[permissions.roles.viewer]
create_sessions = false
list_sessions = true
list_nodes = true
list_samples = true
read_samples = true
access_all_sessions = false
allowed_samples = ["*"]
allowed_nodes = ["*"]
allowed_assets = ["*"]
`;
const operator = `[permissions.roles.operator]
create_sessions = true
access_all_sessions = false  # Can only access own sessions
allowed_nodes = ["audio::*", "core::*"]  # Restrict to audio and core nodes
`;
const user = `[permissions.roles.user]
create_sessions = true
destroy_sessions = true
modify_sessions = true
tune_nodes = true
list_sessions = true
list_nodes = true
access_all_sessions = false  # Only own sessions
load_plugins = false
delete_plugins = false
upload_assets = true
delete_assets = true
allowed_nodes = ["audio::*", "core::passthrough", "core::text_chunker"]
allowed_plugins = []  # No plugins
`;

test.each([
  ['restricted default role', '[permissions]\ndefault_role = "viewer"  # Not "admin"\n'],
  ['limits', '[permissions]\nmax_concurrent_sessions = 10\nmax_concurrent_oneshots = 5\n'],
  ['no authentication, on loopback', '[permissions]\ndefault_role = "admin"\nallow_insecure_no_auth = false  # default\n'],
  ['viewer', viewer], ['operator', operator], ['multi-tenant user', `[permissions]\ndefault_role = "user"\nmax_concurrent_sessions = 100\n${user}`],
  ['plugin permissions of one role', '[permissions.roles.operator]\nload_plugins = false   # Cannot upload plugins\ndelete_plugins = false # Cannot remove plugins\n'],
  ['files', '[security]\nallowed_file_paths = [\n  "samples/**",      # Allow reading samples\n  "/data/audio/**",  # Allow specific data directory\n]\n'],
  ['writes', '[security]\n# Default: [] (deny all writes)\nallowed_write_paths = [\n  "./output/**",\n  "/data/exports/**",\n]\n'],
  ['least files', '[security]\nallowed_file_paths = ["samples/**"]  # Minimal access\n'],
  ['TLS', '[server]\ntls = true\ncert_path = "/path/to/cert.pem"\nkey_path = "/path/to/key.pem"\n'],
])('the block "%s" is accepted as it stands', (_name, text) => {
  expect(() => start(text)).not.toThrow();
});

test.each([
  ['a redefined admin, which holds only what it says', admin, /weir\.toml:1:1: \[permissions\.roles\] admin: No role holds manage_users.*add inherits = "admin" under \[permissions\.roles\.admin\]/, [0, 'inherits = "admin"\n']],
  ['the whole documented file', `[permissions]\ndefault_role = "viewer"\n${admin}${viewer}${operator}`, /weir\.toml:3:1: .*inherits = "admin"/, [2, 'inherits = "admin"\n']],
  ['the multi-tenant file', `[permissions]\ndefault_role = "user"\n${user}${admin}`, /weir\.toml:17:1: .*inherits = "admin"/, [16, 'inherits = "admin"\n']],
] as const)('the block of %s is refused by its line, and accepted with the line that the refusal names', (_name, text, expected, [line, added]) => {
  expect(() => start(text)).toThrow(expect.objectContaining({ code: 'config.invalid', message: expect.stringMatching(expected) }));
  const lines = text.split('\n');
  lines.splice(line + 1, 0, added.trimEnd());
  const { permissions } = start(lines.join('\n'));
  expect(permissions.roles['admin']?.inherits).toBe('admin');
});

test('the multi-tenant roles give a tenant no sample, no plugin and nobody else’s session (streamkit §2.11)', () => {
  const { permissions } = start(`[permissions]\ndefault_role = "user"\n${user}`);
  const tenant = defineRoles(permissions.roles).get('user');
  for (const refused of ['list_samples', 'read_samples', 'write_samples', 'delete_samples', 'load_plugins', 'delete_plugins', 'access_all_sessions', 'read_content', 'use_account']) expect([refused, tenant?.permissions.has(refused)]).toEqual([refused, false]);
  expect(['audio::opus::decoder', 'core::passthrough', 'core::file_reader', 'core::passthrough_x'].map((kind) => tenant?.allowed.allowed_nodes.allows(kind))).toEqual([true, true, false, false]);
});

test.each([
  ['[plugins]\nallow_http_management = false  # default\n', /weir\.toml:1:1: unknown setting "plugins"/],
  ['[script]\ndefault_timeout_ms = 100\ndefault_memory_limit_mb = 64\n', /weir\.toml:1:1: unknown setting "script"/],
])('a block that nothing here reads is refused by its line, not ignored: %j', (text, expected) => {
  expect(() => start(text)).toThrow(expect.objectContaining({ message: expect.stringMatching(expected) }));
});

test.each([
  ['[permissions.roles.operator]\nload_plugin = false\n', /weir\.toml:2:1: unknown setting "load_plugin" in \[permissions\.roles\.operator\]\. Did you mean "load_plugins"\?/],
  ['[permissions.roles.operator]\nallowed_nodes = [\n  "core::*",\n  "audio::[a",\n]\n', /weir\.toml:2:1: \[permissions\.roles\.operator\] allowed_nodes: The pattern "audio::\[a" holds a character/],
  ['[security]\n\nallowed_file_paths = ["samples/../**"]\n', /weir\.toml:3:1: \[security\] allowed_file_paths: The pattern "samples\/\.\.\/\*\*" is no path/],
  ['[security]\nallowed_write_paths = ["out/**.wav"]\n', /weir\.toml:2:1: .*\*\* beside something else/],
  ['[server.cors]\nallowed_origins = ["*"]\n', /weir\.toml:2:1: \[server\.cors\] allowed_origins: "\*" is no origin/],
  ['[server]\nallowed_hosts = ["http://a"]\n', /weir\.toml:2:1: \[server\] allowed_hosts: "http:\/\/a" is no host/],
  ['[permissions.roles.a]\ninherits = "b"\n[permissions.roles.b]\ninherits = "a"\n', /weir\.toml:[13]:1: .*leads back to itself/],
  ['[permissions]\ndefault_role = "chef"\n', /weir\.toml:2:1: \[permissions\] default_role: "chef" is not a role/],
])('%j is refused at its place', (text, expected) => {
  expect(() => start(text)).toThrow(expect.objectContaining({ code: 'config.invalid', message: expect.stringMatching(expected) }));
});
