import { WeirError } from '@weir/contracts/errors';
import { defineRoles } from '@weir/security/roles';
import fc from 'fast-check';
import { parse } from 'smol-toml';
import { expect, test } from 'vitest';
import { importPipelineConfig } from '../src/config/import-pipeline.ts';
import { problemsOf } from '../src/config/load.ts';
import { Config } from '../src/config/schema.ts';

const skit = `
[server]
address = "127.0.0.1:4546"
tls = false
cert_path = ""
samples_dir = "./samples/pipelines"
[server.cors]
allowed_origins = ["http://localhost:*", "https://app.example.com"]
[security]
allowed_file_paths = ["samples/**"]
[engine.oneshot]
packet_batch_size = 32
[log]
console_level = "debug"
[permissions]
default_role = "guest"
max_concurrent_sessions = 10
[permissions.roles.admin]
create_sessions = true
load_plugins = true
allowed_samples = ["./samples/pipelines/oneshot/*.yml", "user/*.yml"]
allowed_nodes = ["*"]
[permissions.roles.guest]
list_nodes = true
load_plugns = true
`;

test('what means the same is taken over, and everything else is named', () => {
  const { text, notes } = importPipelineConfig(skit, 'skit.toml');
  expect(problemsOf(text, 'weir.toml')).toBeUndefined();
  const config = Config.parse(parse(text));
  expect(config).toMatchObject({
    server: { address: '127.0.0.1', port: 4546, tls: false, cors: { allowed_origins: ['http://localhost:*', 'https://app.example.com'] } },
    security: { allowed_file_paths: ['samples/**'] }, log: { level: 'debug' }, permissions: { default_role: 'guest', max_concurrent_sessions: 10 },
  });
  expect(config.server.cert_path).toBeUndefined();
  for (const left of ['server.samples_dir', 'engine.oneshot.packet_batch_size', 'permissions.roles.guest.load_plugns']) expect(notes).toContainEqual(expect.stringContaining(`${left} is left out`));
  expect(notes.filter((note) => /allowed_file_paths|console_level|server\.tls/.test(note))).toEqual([]);
});

test('a role under a built-in name inherits Weir’s own permissions, says so, and of the pipeline API holds what it says alone (streamkit §2.11)', () => {
  const { text, notes } = importPipelineConfig(skit, 'skit.toml');
  const roles = defineRoles(Config.parse(parse(text)).permissions.roles);
  const admin = roles.get('admin');
  expect(notes).toContainEqual(expect.stringMatching(/permissions\.roles\.admin\] got inherits = "admin"/));
  expect(['create_sessions', 'load_plugins', 'manage_users', 'delete_plugins', 'write_samples'].map((name) => admin?.permissions.has(name))).toEqual([true, true, true, false, false]);
  expect([admin?.allowed.allowed_samples.patterns, admin?.allowed.allowed_plugins.patterns]).toEqual([['oneshot/*.yml', 'user/*.yml'], []]);
  expect([...roles.get('guest')?.permissions ?? []]).toEqual(['list_nodes']);
  expect(notes).toContainEqual(expect.stringContaining('[permissions.roles.guest] holds none'));
});

test('what Weir would refuse is said at once, with its line', () => {
  const { text, notes } = importPipelineConfig('[server.cors]\nallowed_origins = ["*"]\n[security]\nallowed_file_paths = ["a/[bc]/**"]\n', 'skit.toml');
  const line = text.split('\n').findIndex((entry) => entry.startsWith('allowed_origins')) + 1;
  expect(notes.at(-1)).toMatch(new RegExp(`weir\\.toml:${line}:1: \\[server\\.cors\\] allowed_origins`));
  expect(notes.at(-1)).toContain('allowed_file_paths');
  expect(notes).toContainEqual(expect.stringContaining('callers have to sign in'));
  expect(importPipelineConfig('[permissions]\nrole_header = "X-StreamKit-Role"\n', 'skit.toml').notes).toContainEqual(expect.stringContaining('[server] trusted_proxies'));
});

test('whatever file comes, it is imported or refused with its line', () => {
  const samples = [skit, '[server]\naddress = "[::1]:80"\n', '[permissions.roles]\nadmin = 1\n', '[permissions]\nroles = []\n', 'constructor = 1\n[__proto__]\na = 1\n[permissions.roles.__proto__]\nlist_nodes = true\n'];
  const piece = fc.oneof(fc.constantFrom('', '"', '[', ']', '=', '\n', '.', '__proto__', '{}', '*', '\0', '1e999', 'true'), fc.string({ maxLength: 5 }));
  const numRuns = Math.round(1_000 * Number(process.env['WEIR_TEST_SCALE'] ?? 1));
  fc.assert(fc.property(fc.constantFrom(...samples), fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(8), piece, (sample, where, cut, added) => {
    const at = Math.floor(where * sample.length);
    try {
      parse(importPipelineConfig(sample.slice(0, at) + added + sample.slice(at + cut), 'skit.toml').text);
    } catch (error) {
      expect(error).toBeInstanceOf(WeirError);
    }
    expect(({} as Record<string, unknown>)['list_nodes']).toBeUndefined();
  }), { numRuns });
});
