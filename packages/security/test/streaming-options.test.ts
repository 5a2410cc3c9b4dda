/** A configuration as an application has it already: what each setting becomes, where the secret comes from, and what is refused. */
import { randomBytes } from 'node:crypto';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { limitsOf, optionsOfConfig } from '../src/streaming-options.ts';

const secret = randomBytes(48).toString('base64');
const configuration = (settings: object, more: object = {}): object => ({ streaming_security: settings, ...more });
const refusal = (part: string) => expect.objectContaining({ code: 'config.invalid', message: expect.stringContaining(part) });

test('every setting of a configuration becomes its option', () => {
  expect(optionsOfConfig(configuration({
    enabled: false, secret_key: secret, token_expiry_seconds: 60, rate_limits: { signaling: { limit: 20, period: 60 } },
    allowed_origins: ['https://app.test'], encryption: { enabled: false, default_key_bits: 128 },
  }, { api: { enabled: true, host: '0.0.0.0', port: 8080 } }), {})).toEqual({
    enabled: false, secretKey: secret, tokenExpirySeconds: 60, rateLimits: { signaling: { limit: 20, period: 60 } },
    allowedOrigins: ['https://app.test'], encryption: { enabled: false, defaultKeyBits: 128 },
  });
});

test('security and encryption are on, with 256 bits, unless the configuration says otherwise', () => {
  const least = optionsOfConfig(configuration({ secret_key: secret }, { api: {} }), {});
  expect(least).toMatchObject({ enabled: true, secretKey: secret });
  expect(least).not.toHaveProperty('encryption');
  expect(optionsOfConfig(configuration({ secret_key: secret, encryption: {} }), {}).encryption).toEqual({ enabled: true, defaultKeyBits: 256 });
});

test('the secret of the environment wins over that of a file, and both over one that is written down', async () => {
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'weir-secret-'));
  const file = path.join(folder.path, 'secret');
  const [WEIR_STREAMING_SECURITY__SECRET_KEY, WEIR_STREAMING_SECURITY__SECRET_KEY_FILE] = ['from the environment', file];
  const read = (environment: Record<string, string>, settings: object = { secret_key: secret }) => optionsOfConfig(configuration(settings), environment).secretKey;
  for (const end of ['', '\n', '\r\n']) {
    await writeFile(file, ` of the file\n.${end}`);
    expect(read({ WEIR_STREAMING_SECURITY__SECRET_KEY_FILE }), JSON.stringify(end)).toBe(' of the file\n.');
  }
  expect(read({ WEIR_STREAMING_SECURITY__SECRET_KEY, WEIR_STREAMING_SECURITY__SECRET_KEY_FILE })).toBe('from the environment');
  expect(read({ WEIR_STREAMING_SECURITY__SECRET_KEY }, {})).toBe('from the environment');
  expect(() => read({ WEIR_STREAMING_SECURITY__SECRET_KEY_FILE: path.join(folder.path, 'absent') })).toThrow(refusal('WEIR_STREAMING_SECURITY__SECRET_KEY_FILE'));
});

test('a secret that is written down is taken with a warning that names where it belongs, one from elsewhere without', async () => {
  const warnings: Error[] = [];
  const hear = (warning: Error): void => { warnings.push(warning); };
  process.on('warning', hear);
  try {
    optionsOfConfig(configuration({ secret_key: secret }), { WEIR_STREAMING_SECURITY__SECRET_KEY: secret });
    await new Promise(setImmediate);
    expect(warnings).toEqual([]);
    optionsOfConfig(configuration({ secret_key: secret }), {});
    await new Promise(setImmediate);
    expect(warnings).toMatchObject([{ name: 'WeirStreamingSecurity', message: expect.stringContaining('WEIR_STREAMING_SECURITY__SECRET_KEY_FILE') }]);
    expect(String(warnings[0])).not.toContain(secret);
  } finally {
    process.off('warning', hear);
  }
});

test('without a secret anywhere it says how to set one', () => {
  expect(() => optionsOfConfig(configuration({}), {})).toThrow(refusal('WEIR_STREAMING_SECURITY__SECRET_KEY_FILE'));
  expect(() => optionsOfConfig(configuration({}), {})).toThrow(refusal('openssl rand'));
});

test.each<[name: string, config: unknown, part: string]>([
  ['no configuration', undefined, 'expected object'],
  ['nothing of its own', {}, 'streaming_security: '],
  ['a misspelt setting', configuration({ secret_keys: secret }), 'secret_keys'],
  ['something beside it', configuration({ secret_key: secret }, { apis: {} }), 'apis'],
  ['a limit of nothing', configuration({ rate_limits: { default: { limit: 0, period: 60 } } }), 'streaming_security.rate_limits.default.limit: '],
  ['a period of nothing', configuration({ rate_limits: { default: { limit: 1, period: 0 } } }), 'streaming_security.rate_limits.default.period: '],
  ['a limit without a name', configuration({ rate_limits: { '': { limit: 1, period: 1 } } }), 'streaming_security.rate_limits'],
  ['a limit with a long name', configuration({ rate_limits: { [`a${'b'.repeat(32)}`]: { limit: 1, period: 1 } } }), 'streaming_security.rate_limits'],
  ['tokens of no time', configuration({ token_expiry_seconds: 0 }), 'streaming_security.token_expiry_seconds: '],
  ['tokens of more than a year', configuration({ token_expiry_seconds: 31_536_001 }), 'streaming_security.token_expiry_seconds: '],
  ['a port that is none', configuration({ secret_key: secret }, { api: { port: 65_536 } }), 'api.port: '],
  ['192 bits', configuration({ encryption: { default_key_bits: 192 } }), 'streaming_security.encryption.default_key_bits: write 256 or 128'],
])('%s is refused by its name', (_name, config, part) => {
  expect(() => optionsOfConfig(config, {})).toThrow(refusal(part));
});

test('limits keep their names, and count in seconds', () => {
  expect(limitsOf({ talk: { limit: 2, period: 0.5 } })).toEqual({ talk: { limit: 2, periodSeconds: 0.5 } });
  expect(limitsOf()).toEqual({});
});
