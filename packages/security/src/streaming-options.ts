/** How an application sets up its streaming security: in code, or as the configuration it has already. */
import { readFileSync } from 'node:fs';
import type { Clock } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { z } from 'zod';
import type { KeyRing } from './key-ring.ts';
import type { OriginRules } from './origins.ts';
import type { RateLimit } from './rate-limits.ts';
import type { Role } from './roles.ts';
import type { KeyBits } from './sealed-content.ts';
import { secretKeySetting, type PurposeKeys } from './streaming-keys.ts';
import type { StreamingStores } from './streaming-stores.ts';

export type StreamingSecurityOptions = Readonly<{
  /** At least 32 bytes of randomness. Tokens are then HS256: they never carry the role `admin` or a right that manages. */
  secretKey?: string | undefined;
  /** In place of `secretKey`: tokens are then Ed25519, and keys can be rotated. */
  keyRing?: KeyRing | undefined;
  /** False switches the middleware of the adapters off; everything that is called by hand works all the same. */
  enabled?: boolean | undefined;
  tokenExpirySeconds?: number | undefined;
  /** By name, beside the default ones; `period` in seconds. */
  rateLimits?: Readonly<Record<string, Readonly<{ limit: number; period: number }>>> | undefined;
  /** Other web origins that may open sockets and call; never `*`. */
  allowedOrigins?: readonly string[] | undefined;
  /** The application's own origins. Without any list, only callers without an `Origin` pass: programs, not pages. */
  ownOrigins?: readonly string[] | OriginRules | undefined;
  encryption?: Readonly<{ enabled?: boolean | undefined; defaultKeyBits?: KeyBits | undefined }> | undefined;
  stores?: Partial<StreamingStores> | undefined;
  /** What roles may do; the built-in ones by default. */
  roles?: ReadonlyMap<string, Role> | undefined;
  /** Keys of tokens and content keys that are kept elsewhere, in place of those that are derived from the key ring. */
  tokenKeys?: Readonly<{ access: PurposeKeys; grant: PurposeKeys }> | undefined;
  /** `iss` and default `aud` of its tokens. */
  issuer?: string | undefined;
  /** A cookie that holds an access token, for pages that can't send headers. */
  cookieName?: string | undefined;
  /** Accept `?token=` on sockets: such a token shows in logs and histories. */
  allowQueryTokens?: boolean | undefined;
  /** Peers whose X-Forwarded-For is believed. */
  trustedProxies?: readonly string[] | undefined;
  clock?: Clock | undefined;
  /** Told what failed in the background: refusals that could not be written to the audit trail. A warning of the process by default. */
  onError?: ((error: unknown) => void) | undefined;
}>;

const optionNames: ReadonlySet<string> = new Set(Object.keys({
  secretKey: true, keyRing: true, enabled: true, tokenExpirySeconds: true, rateLimits: true, allowedOrigins: true, ownOrigins: true, encryption: true, stores: true, roles: true,
  tokenKeys: true, issuer: true, cookieName: true, allowQueryTokens: true, trustedProxies: true, clock: true, onError: true,
} satisfies Record<keyof StreamingSecurityOptions, true>));

/** `config.invalid` for an option in another spelling, which would be passed over: `token_expiry_seconds` would leave tokens good for longer than was meant. */
export function requireKnownOptions(options: StreamingSecurityOptions): void {
  const strange = Object.keys(options).find((name) => !optionNames.has(name));
  if (strange === undefined) return;
  throw new WeirError('config.invalid', `There is no option ${JSON.stringify(strange.slice(0, 64))}; there are: ${[...optionNames].join(', ')}. A configuration with names such as secret_key goes to StreamingSecurityManager.fromSeedConfig.`);
}

const Limits = z.record(z.string().regex(/^[a-z][a-z0-9_]{0,31}$/), z.strictObject({ limit: z.int().min(1), period: z.number().positive() }));
const SeedConfig = z.strictObject({
  streaming_security: z.strictObject({
    enabled: z.boolean().default(true),
    secret_key: z.string().optional(),
    token_expiry_seconds: z.int().min(1).max(31_536_000).optional(),
    rate_limits: Limits.optional(),
    allowed_origins: z.array(z.string()).optional(),
    encryption: z.strictObject({
      enabled: z.boolean().default(true),
      default_key_bits: z.literal([128, 256], 'write 256 or 128: AES-192 has no place in any suite that is used here').default(256),
    }).optional(),
  }),
  api: z.strictObject({ enabled: z.boolean().default(true), host: z.string().default('127.0.0.1'), port: z.int().min(0).max(65_535).default(8080) }).optional(),
});

/**
 * Options of a configuration `{ streaming_security: { enabled, secret_key, … }, api: { host, port } }`. The environment wins over it:
 * `WEIR_STREAMING_SECURITY__SECRET_KEY`, or the file that `WEIR_STREAMING_SECURITY__SECRET_KEY_FILE` names. Errors: `config.invalid` naming
 * the setting that is refused. A secret that is written down is taken with a warning of the process.
 */
export function optionsOfConfig(config: unknown, environment: Readonly<Record<string, string | undefined>> = process.env): StreamingSecurityOptions {
  const parsed = SeedConfig.safeParse(config);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new WeirError('config.invalid', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'refused'}`);
  }
  const { enabled, secret_key: literal, token_expiry_seconds: tokenExpirySeconds, rate_limits: rateLimits, allowed_origins: allowedOrigins, encryption } = parsed.data.streaming_security;
  const given = secretOf(environment);
  const secretKey = given ?? literal;
  if (secretKey === undefined) throw new WeirError('config.invalid', `Set ${secretKeySetting} to fresh randomness: openssl rand -base64 48`);
  if (given === undefined) process.emitWarning(`The secret key is written down in the configuration, where backups and version control find it; set ${secretKeySetting}.`, 'WeirStreamingSecurity');
  return {
    enabled, secretKey, tokenExpirySeconds, rateLimits, allowedOrigins,
    ...(encryption === undefined ? {} : { encryption: { enabled: encryption.enabled, defaultKeyBits: encryption.default_key_bits } }),
  };
}

/** Of a file, without the end of its line; the server reads its own alike. */
function secretOf(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const { WEIR_STREAMING_SECURITY__SECRET_KEY: secret, WEIR_STREAMING_SECURITY__SECRET_KEY_FILE: file } = environment;
  if (secret !== undefined || file === undefined) return secret;
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw new WeirError('config.invalid', 'The file that WEIR_STREAMING_SECURITY__SECRET_KEY_FILE names can not be read.', { cause });
  }
}

/** Named limits in the words of the rate limits' room. */
export const limitsOf = (given: StreamingSecurityOptions['rateLimits'] = {}): Record<string, RateLimit> =>
  Object.fromEntries(Object.entries(given).map(([name, { limit, period }]) => [name, { limit, periodSeconds: period }]));
