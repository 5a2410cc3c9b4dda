/** The configuration of a streaming application, pasted into weir.toml as its documentation has it: it starts, or is refused with the one line to change. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { defineRoles } from '@weir/security/roles';
import { afterAll, expect, test } from 'vitest';
import { checkBind } from '../src/bind-gate.ts';
import { loadConfig, type Loaded } from '../src/config/load.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'weir-blocks-'));
const file = path.join(folder, 'weir.toml');
const secretFile = path.join(folder, 'secret');
const secret = randomBytes(48).toString('base64');
writeFileSync(secretFile, `${secret}\n`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(text: string, environment: Record<string, string> = {}, flags = {}): Loaded {
  writeFileSync(file, text);
  const loaded = loadConfig({ file, environment, flags });
  checkBind(loaded.config, defineRoles(loaded.config.permissions.roles));
  return loaded;
}

const block = (secretKey: string): string => `[streaming_security]
enabled = true
secret_key = '${secretKey}' # CHANGE THIS! Load from env var ideally.
token_expiry_seconds = 3600 # 1 hour
allowed_origins = [ # Optional: Restrict WebSocket origins
  'http://localhost:3000',
  'https://your-frontend-app.com'
]

[streaming_security.rate_limits]
default = { limit = 100, period = 60 } # 100 requests per minute
signaling = { limit = 20, period = 60 } # Stricter limit for signaling

[streaming_security.encryption]
enabled = true
default_key_bits = 256
`;
const api = `
[api]
enabled = true
host = '0.0.0.0'
port = 8080
`;

test('the block as it stands is refused for its placeholder, with file, line and what to set', () => {
  expect(() => start(block('YOUR_VERY_SECRET_KEY_HERE') + api)).toThrow(
    `${file}:3:1: [streaming_security] secret_key: it is a placeholder. Remove it here and set WEIR_STREAMING_SECURITY__SECRET_KEY (or WEIR_STREAMING_SECURITY__SECRET_KEY_FILE) to fresh randomness: openssl rand -base64 48`);
});

test('with a key of its own it is taken, and the warning names the variables', () => {
  const { config, warnings } = start(block(secret));
  expect(config.streaming_security).toMatchObject({ enabled: true, secret_key: secret, token_expiry_seconds: 3_600, allowed_origins: ['http://localhost:3000', 'https://your-frontend-app.com'] });
  expect(config.streaming_security.rate_limits).toEqual({ default: { limit: 100, period: 60 }, signaling: { limit: 20, period: 60 } });
  expect(warnings).toMatchObject([{ code: 'config.secret_key', next_step: expect.stringMatching(/WEIR_STREAMING_SECURITY__SECRET_KEY,.*WEIR_STREAMING_SECURITY__SECRET_KEY_FILE/) }]);
});

test('a key from the environment or a file is taken without a warning', () => {
  for (const environment of [{ WEIR_STREAMING_SECURITY__SECRET_KEY: secret }, { WEIR_STREAMING_SECURITY__SECRET_KEY_FILE: secretFile }]) {
    const { config, warnings } = start(block(randomBytes(48).toString('base64')), environment);
    expect(config.streaming_security.secret_key).toBe(secret);
    expect(warnings).toEqual([]);
  }
});

test('short, leaked and repeating keys stop the start without being repeated', () => {
  for (const [key, reason] of [['short', 'shorter than 32 bytes'], ['09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7', 'known to the public'], ['ab'.repeat(20), 'repeats']] as const) {
    const failure = (() => { try { start(block(key)); return ''; } catch (error) { return String(error); } })();
    expect(failure).toContain(reason);
    expect(failure).toContain(`${file}:3:`);
    expect(failure).not.toContain(`"${key}"`);
  }
});

test('a mistake beside the key does not show the key', () => {
  for (const text of [`[streaming_security]\nsecret_key = '${secret}\n`, `[streaming_security]\nsecret_key = '${secret}'\nenabled = yes\n`, `[streaming_security]\nenabled = yes\nsecret_key = "${secret}"\n`]) {
    const failure = (() => { try { start(text); return ''; } catch (error) { return String(error); } })();
    expect(failure).toMatch(/:\d+:\d+: /);
    expect(failure).not.toContain(secret.slice(0, 12));
  }
});

test('[api] is [server]: beyond loopback it is refused for what is missing, and starts with it', () => {
  expect(() => start(block(secret) + api)).toThrow(/does not listen on 0\.0\.0\.0: it has no TLS: set \[server\] tls = true/);
  const { config } = start(`${block(secret)}${api}\n[server]\ntls = true\n`);
  expect(config.server).toMatchObject({ address: '0.0.0.0', port: 8_080, tls: true });
  expect(start(`[api]\nhost = 'localhost'\nport = 8080\n`).config.server).toMatchObject({ address: '127.0.0.1', port: 8_080 });
  expect(start(`[api]\nport = 8080\n`, { WEIR_SERVER__PORT: '9000' }).config.server.port).toBe(9_000);
  expect(start(`[api]\nport = 8080\n`, { WEIR_API__PORT: '9000' }).config.server.port).toBe(9_000);
  expect(start(`[api]\nport = 8080\n`, {}, { server: { port: 9_001 } }).config.server.port).toBe(9_001);
});

test('[api] and [server] that say different things are an error at its line; the same thing twice is not', () => {
  expect(() => start(`[server]\nport = 4545\n\n[api]\nport = 8080\n`)).toThrow(`${file}:5:1: [api] port and [server] port say different things; remove one of them.`);
  expect(start(`[server]\nport = 8080\n\n[api]\nport = 8080\n`).config.server.port).toBe(8_080);
});

test('what is refused in it is named with its line', () => {
  const refusals: [string, RegExp][] = [
    [`[streaming_security.encryption]\ndefault_key_bits = 192\n`, /:2:1: .*write 256 or 128/],
    [`[streaming_security]\nallowed_origins = ['*']\n`, /:2:1: .*"\*" is no origin/],
    [`[streaming_security]\ntoken_expire_seconds = 3600\n`, /:2:1: unknown setting "token_expire_seconds".*Did you mean "token_expiry_seconds"/],
    [`[streaming_security.encryption]\nkey_scope = 'team'\n`, /:2:1: /],
    [`[api]\nhost = 'everywhere'\n`, /:2:1: /],
    [`[api]\nworkers = 4\n`, /unknown setting "workers" in \[api\]/],
    [`[streaming_security]\nenabled = false\n`, /enabled = false is refused: remove it/],
    [`[streaming_security]\nenabled = false\n[permissions]\nallow_insecure_no_auth = true\n[server]\naddress = '192.0.2.1'\n`, /enabled = false is refused/],
  ];
  for (const [text, sentence] of refusals) expect(() => start(text), text).toThrow(sentence);
  expect(start(`[streaming_security]\nenabled = false\n[permissions]\nallow_insecure_no_auth = true\n`).config.streaming_security.enabled).toBe(false);
});

test('a rate limit that can not be kept is refused where it is written, not at the start', () => {
  for (const [limit, reason] of [['{ limit = 100, period = 0.5 }', '>=1'], ['{ limit = 1000001, period = 60 }', '<=1000000'], ['{ limit = 1000000, period = 1 }', 'more than 100000 a second']] as const) {
    expect(() => start(`[streaming_security.rate_limits]\ndefault = ${limit}\n`), limit).toThrow(reason);
  }
  expect(() => start('[streaming_security.rate_limits]\ndefault = { limit = 1000000, period = 10 }\n')).not.toThrow();
});
