/** Names, instants and networks: the words that every other message is made of; and tokens, sessions, principals. */
import { z } from 'zod';

/**
 * `[a-z0-9._-]{1,64}`; anything else (other alphabets, upper case, look-alikes) is refused, never folded. `proxy:ROLE` is whom all
 * callers share that a reverse proxy gives no name but a role; nobody can be added under such a name.
 */
export const PrincipalId = z.string().regex(/^(?:proxy:)?[a-z0-9._-]{1,64}$/, 'a principal is named with a-z, 0-9, ".", "_", "-", at most 64');
export const RoleName = z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/, 'a role is named with a-z, 0-9, "_", "-", at most 32');
export const PermissionName = z.string().regex(/^[a-z][a-z0-9_]{0,47}$/, 'a permission is named like read_content');
export const Ulid = z.string().regex(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/, 'an id is a ULID of 26 characters');
/** A content id in any multibase; the longest, base2, has 289 characters. */
export const CidText = z.string().min(1).max(300);
/** RFC 3339, UTC, with milliseconds. */
export const Instant = z.iso.datetime({ precision: 3, error: 'write a time in UTC with milliseconds, such as 2030-01-31T12:00:00.000Z' });
/** A network; a bare address means that address alone (/32, /128). */
export const Cidr = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], 'not a network: write 192.0.2.0/24, 2001:db8::/32 or a bare address');

export const PrincipalKind = z.enum(['user', 'client', 'worker', 'service', 'anonymous']);
export type PrincipalKind = z.infer<typeof PrincipalKind>;

/** How far a signature's time may be off, in seconds; more than 30 is for old peers, and needs TLS or a network scope. */
export const MaxSkew = z.int().min(1).max(300);
/** 32 bytes in standard base64, as the other side has them already; the last digit has two bits that mean nothing and are zero. */
const GivenKey = z.string().regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/, 'a key is 32 bytes in base64 (44 characters)');

export const Principal = z.strictObject({
  principal: PrincipalId,
  kind: PrincipalKind,
  role: RoleName,
  permissions: z.array(PermissionName).max(100),
  networks: z.array(Cidr).max(100),
  disabled: z.boolean(),
  /** Null: 30. */
  max_skew_seconds: MaxSkew.nullable(),
  created_at: Instant,
});
export type Principal = z.infer<typeof Principal>;

export const PrincipalCreate = z.strictObject({
  principal: PrincipalId,
  role: RoleName,
  permissions: z.array(PermissionName).max(100).default([]),
  networks: z.array(Cidr).max(100).default([]),
  /** What the role says, when it is left out; `service`: a program that never signs in by a browser. */
  kind: z.enum(['user', 'service']).optional(),
  max_skew_seconds: MaxSkew.optional(),
  key: GivenKey.optional(),
});
/** `key` is shown this once; null when the caller gave it. */
export const PrincipalCreated = z.strictObject({ principal: PrincipalId, role: RoleName, key: z.string().nullable() });
/** The key that a principal signs requests with, in base64. */
export const PrincipalKey = z.strictObject({ principal: PrincipalId, key_id: Ulid, key: z.string() });
/** A new key for a principal; the old ones end after the overlap. */
export const KeyReplacement = z.strictObject({ overlap_seconds: z.int().min(0).max(604_800).default(0), key: GivenKey.optional() });
export const PrincipalChange = z.strictObject({
  role: RoleName.optional(),
  permissions: z.array(PermissionName).max(100).optional(),
  networks: z.array(Cidr).max(100).optional(),
  disabled: z.boolean().optional(),
  max_skew_seconds: MaxSkew.nullable().optional(),
});

/** A subject of another issuer that a principal is. */
export const ExternalSubject = z.strictObject({
  issuer: z.string().min(1).max(256), subject: z.string().regex(/^[^\p{Cc}]{1,255}$/u, 'a subject has 1 to 255 characters, none of them a control character'),
});
export type ExternalSubject = z.infer<typeof ExternalSubject>;
/** `follows_role`: the principal came of its tokens, and has the role that the newest of them has. */
export const ExternalIdentity = z.strictObject({ ...ExternalSubject.shape, created_at: Instant, follows_role: z.boolean() });

/** `expires_in` in seconds. */
export const TokenRequest = z.strictObject({
  principal: PrincipalId.optional(),
  role: RoleName.optional(),
  permissions: z.array(PermissionName).max(100).optional(),
  /** Contents of yours that the token opens beside what its principal may read. */
  cid_access: z.array(z.string().min(1).max(200)).max(32).optional(),
  expires_in: z.int().min(1).max(31_536_000).default(3_600),
});
export const TokenReply = z.strictObject({ token: z.string(), jti: Ulid, principal: PrincipalId, expires_at: Instant });

export const SignInMethod = z.enum(['link', 'passkey', 'oidc']);
export type SignInMethod = z.infer<typeof SignInMethod>;
/** A token as it was issued; `role` and `permissions` are what it narrows to, null where it does not. */
export const Token = z.strictObject({
  jti: Ulid, principal: PrincipalId, issuer: z.string().max(64), role: RoleName.nullable(), permissions: z.array(PermissionName).nullable(),
  cid_access: z.array(z.string()), session_id: Ulid.nullable(), issued_at: Instant, expires_at: Instant, revoked: z.boolean(),
});

export const LoginRequest = z.strictObject({ secret: z.string().min(20).max(200) });
export const LoginReply = z.strictObject({ principal: PrincipalId, role: RoleName, expires_at: Instant });
/** `stepped_up_at`: when whoever uses it last proved who they are; `agent`: what the browser called itself when it began. */
export const LoginSession = z.strictObject({
  session_id: Ulid, principal: PrincipalId, created_at: Instant, last_used_at: Instant, expires_at: Instant, current: z.boolean(),
  stepped_up_at: Instant.nullable(), method: SignInMethod, agent: z.string().max(200),
});

/** What the caller may do: the meaning of the pipeline API's own address, with Weir's permissions beside its booleans. */
export const Permissions = z.strictObject({
  principal: PrincipalId.nullable(), role: RoleName, permissions: z.record(z.string(), z.boolean()),
});
export type Permissions = z.infer<typeof Permissions>;

/** A page of a list; the cursor is opaque and comes back as it was given. */
export const page = <T extends z.ZodType>(item: T) => z.strictObject({ items: z.array(item), next_cursor: z.string().nullable() });
export const ListQuery = { cursor: z.string().min(1).max(200).optional(), limit: z.coerce.number().int().min(1).max(500).default(50) };

/** `address`: only those who may come from there. A page may then hold fewer, even none, and still have a cursor. */
export const PrincipalSearch = z.strictObject({ ...ListQuery, address: z.union([z.ipv4(), z.ipv6()]).optional() });

export const toInstant = (ms: number): string => new Date(ms).toISOString();
