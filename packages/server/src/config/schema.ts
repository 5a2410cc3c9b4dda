/** Every setting of `weir.toml`, with its default, its bounds and the sentence that documents it. */
import { WeirError } from '@weir/contracts/errors';
import { Cidr, RoleName } from '@weir/contracts/identity';
import { ProviderName } from '@weir/contracts/sign-in';
import { compileNames, compilePaths } from '@weir/security/globs';
import { compileHosts } from '@weir/security/hosts';
import { publicKeyAlgorithms } from '@weir/security/public-keys';
import { compileOrigins } from '@weir/security/origins';
import { allowlists, defineRoles, permissions } from '@weir/security/roles';
import { longestPeriodSeconds, mostUses, mostUsesPerSecond } from '@weir/security/rate-limits';
import { Secret } from '@weir/security/secret';
import { weaknessOf } from '@weir/security/token-keys';
import { z } from 'zod';
import { addressFlaw } from '../named-hosts.ts';

const port = z.int().min(0).max(65_535);
const seconds = (defaultValue: number, max = 31_536_000) => z.number().min(0).max(max).default(defaultValue);
const names = z.array(z.string().min(1).max(253)).max(100).default([]);
const patterns = z.array(z.string().max(1_024)).max(500);

/** Refuses at its own place what the room that uses a setting would refuse later, in the same words. */
const usable = <T>(use: (value: T) => unknown, place: (error: WeirError) => string[] = () => []) => (value: T, context: z.RefinementCtx): void => {
  try {
    use(value);
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    context.addIssue({ code: 'custom', message: error.message, path: place(error) });
  }
};

const keyName = 'WEIR_STREAMING_SECURITY__SECRET_KEY (or WEIR_STREAMING_SECURITY__SECRET_KEY_FILE)';
const SharedSecret = z.string().max(4_096).superRefine((secret, context) => {
  const weakness = weaknessOf(secret);
  if (weakness !== undefined) context.addIssue({ code: 'custom', message: `it ${weakness}. Remove it here and set ${keyName} to fresh randomness: openssl rand -base64 48` });
});

const limitNames = ['default', 'signaling', 'streaming', 'upload', 'auth_failures', 'jobs'] as const;
const RateLimit = z.strictObject({
  limit: z.int().min(1).max(mostUses).meta({ description: 'How many in one period' }),
  period: z.number().min(1).max(longestPeriodSeconds).meta({ description: 'The period, in seconds' }),
}).refine(({ limit, period }) => limit / period <= mostUsesPerSecond, `more than ${mostUsesPerSecond} a second is no limit; set a longer period`);

/** Headers that mean something already, to HTTP or to Weir. */
const takenHeaders = /^(host|origin|cookie|authorization|connection|upgrade|te|trailer|transfer-encoding|content-.*|x-forwarded-.*|forwarded|signature.*|x-dffmpeg-.*|x-weir-proxy-secret|sec-.*|proxy-.*|:.*)$/;
const HeaderName = z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, 'name a header, such as X-Weir-Role; leave the setting out for none')
  .transform((name) => name.toLowerCase()).refine((name) => !takenHeaders.test(name), 'this header means something else already; take one of your own, such as X-Weir-Role');

const RoleSection = z.strictObject({
  inherits: RoleName.optional().meta({ description: 'A role to start from; without it everything not said here is refused' }),
  ...Object.fromEntries(permissions.map((name) => [name, z.boolean().optional()])) as Record<(typeof permissions)[number], z.ZodOptional<z.ZodBoolean>>,
  ...Object.fromEntries(allowlists.map((name) => [name, patterns.superRefine(usable(compileNames)).optional()])) as Record<(typeof allowlists)[number], z.ZodOptional<z.ZodArray<z.ZodString>>>,
});

const allowNetworks = z.array(Cidr).max(20).default([]).meta({ description: 'Networks that are not public where its addresses may lie; none by default, not even this machine' });
function requireReachable(address: string | undefined, networks: readonly string[]): void {
  const flaw = address === undefined ? undefined : addressFlaw(address, networks);
  if (flaw !== undefined) throw new WeirError('config.invalid', `the address ${flaw}`);
}

const Issuer = z.strictObject({
  issuer: z.string().min(1).max(256).meta({ description: 'The exact `iss` of its tokens' }),
  audience: z.string().min(1).max(256).meta({ description: 'The exact `aud` that names this server there' }),
  jwks_uri: z.string().optional().meta({ description: 'Where its public keys are: https, or http on this machine' }),
  allow_networks: allowNetworks,
  jwks_file: z.string().min(1).max(4_096).optional().meta({ description: 'A file with its public keys, in place of jwks_uri' }),
  algorithms: z.array(z.enum(publicKeyAlgorithms)).min(1).max(3).default([...publicKeyAlgorithms]).meta({ description: 'What its tokens may be signed with' }),
  role_claim: z.string().min(1).max(256).meta({ description: 'The claim that the role is read from: a name, or a path such as realm_access.roles' }),
  role_map: z.record(z.string().min(1).max(256), RoleName).meta({ description: 'Role here by value there; the first that fits; "*" fits every token. A token that none fits is refused' }),
  create: z.boolean().default(false).meta({ description: 'Make a principal for a subject that is not known yet' }),
}).superRefine(usable(({ jwks_uri: uri, jwks_file: file }) => {
  if ((uri === undefined) === (file === undefined)) throw new WeirError('config.invalid', 'name either jwks_uri or jwks_file');
})).superRefine(usable(({ jwks_uri: uri, allow_networks: networks }) => requireReachable(uri, networks), () => ['jwks_uri']));

const AuditWebhook = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).max(2_048).meta({ description: 'Where to send: https, or http in a network of allow_networks' }),
  events: z.array(z.string().regex(/^[a-z_.]{0,64}\*?$/, 'an action such as grant.create, or grant.*')).min(1).max(100).default(['*']).meta({ description: 'Actions, each whole or ending in *' }),
  secret: z.string().max(1_024).optional().meta({ description: 'Sign with HMAC-SHA256 under this in place of the audit key' }),
  secret_file: z.string().max(4_096).optional().meta({ description: 'A file with the secret, closed to others (chmod 600)' }),
  allow_networks: allowNetworks,
}).refine(({ url, allow_networks: networks }) => url.startsWith('https:') || networks.length > 0, 'http is only for a private network: use https, or name the network in allow_networks')
  .refine(({ secret, secret_file: file }) => secret === undefined || file === undefined, 'give secret or secret_file, not both');

const OidcProvider = z.strictObject({
  name: ProviderName.meta({ description: 'In addresses and on the button' }),
  issuer: z.string().meta({ description: 'The issuer; http only on this machine' }),
  allow_networks: allowNetworks,
  client_id: z.string().min(1).max(500),
  client_secret: z.string().min(1).max(2_000).transform((text) => new Secret(Buffer.from(text))).optional().meta({ description: 'Left out for a public client' }),
  client_secret_file: z.string().min(1).max(4_096).optional().meta({ description: 'A file with the secret, mode 0600' }),
  scopes: z.array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/)).max(30).default(['openid', 'profile', 'email']),
  role_claim: z.string().min(1).max(256).optional().meta({ description: 'The claim that says what somebody is, such as groups or realm_access.roles' }),
  role_map: z.record(z.string().min(1).max(256), RoleName).default({}).meta({ description: 'Value of that claim = role here; the first that fits counts' }),
  default_role: RoleName.optional().meta({ description: 'The role where nothing fits; without it they are refused' }),
  create: z.boolean().default(false).meta({ description: 'Make a principal for who comes the first time' }),
  allowed_domains: names.meta({ description: 'Let in only who has a verified e-mail address of these domains' }),
}).superRefine(usable(({ issuer, allow_networks: networks }) => requireReachable(issuer, networks), () => ['issuer']));
export type OidcSettings = z.output<typeof OidcProvider>;

export const Config = z.strictObject({
  server: z.strictObject({
    address: z.union([z.ipv4(), z.ipv6()]).default('127.0.0.1').meta({ description: 'The address to listen on. Anything but loopback needs TLS here, or behind_proxy' }),
    port: port.default(4545).meta({ description: 'The port to listen on; 0 takes a free one' }),
    tls: z.boolean().default(false).meta({ description: 'Serve HTTPS. Without cert_path and key_path a self-signed certificate is made at the first start' }),
    cert_path: z.string().max(4_096).optional().meta({ description: 'PEM certificate chain' }),
    key_path: z.string().max(4_096).optional().meta({ description: 'PEM private key, readable by the server alone (chmod 600)' }),
    behind_proxy: z.boolean().default(false).meta({ description: 'A reverse proxy ends TLS in front of this server; name it in trusted_proxies' }),
    trusted_proxies: z.array(Cidr).max(100).optional().meta({ description: 'Peers whose X-Forwarded-For is believed, read from the right; 127.0.0.1 and ::1 when it is not set' }),
    socket_path: z.string().min(1).max(100).optional().meta({ description: 'A Unix socket to listen on as well, for a reverse proxy on this machine: who can open the file is a trusted proxy' }),
    client_ca_path: z.string().min(1).max(4_096).optional().meta({ description: 'PEM certificates of an authority: a reverse proxy proves itself with a client certificate of it (needs tls)' }),
    allowed_hosts: names.superRefine(usable(compileHosts)).meta({ description: 'Host names this server answers to, beside loopback names and its own address (against DNS rebinding)' }),
    public_url: z.url({ protocol: /^https?$/ }).optional().meta({ description: 'The address that links are made with, such as https://media.example.org' }),
    cors: z.strictObject({
      allowed_origins: names.superRefine(usable(compileOrigins)).meta({ description: 'Other web origins that may call the API, such as https://app.example.org' }),
    }).prefault({}),
    max_connections: z.int().min(10).max(1_000_000).default(10_000).meta({ description: 'Open connections at once' }),
  }).prefault({}),
  data: z.strictObject({
    directory: z.string().min(1).max(4_096).optional().meta({ description: 'Where everything is kept; WEIR_DATA and --data win over this' }),
  }).prefault({}),
  database: z.strictObject({
    url: z.string().max(1_000).regex(/^postgres(ql)?:\/\//, 'postgres://…').optional().meta({ description: 'PostgreSQL in place of the built-in database' }),
  }).prefault({}),
  keys: z.strictObject({
    directory: z.string().min(1).max(4_096).optional().meta({ description: 'Where the master key lies: outside the data directory, mode 0700' }),
    rotation_days: z.int().min(0).max(3_650).default(0).meta({ description: 'Replace the keys that sign tokens when they are so old; 0 leaves that to `weir admin keys rotate`' }),
  }).prefault({}),
  identity: z.strictObject({
    oidc: z.array(OidcProvider).max(10).prefault([]).meta({ description: 'OpenID Connect providers that people sign in with: [[identity.oidc]]' }),
    issuers: z.array(Issuer).max(20).default([]).meta({ description: 'Other issuers whose access tokens (JWT) are accepted: [[identity.issuers]]' }),
  }).prefault({}),
  permissions: z.strictObject({
    default_role: RoleName.default('none').meta({ description: 'The role of requests without evidence' }),
    role_header: HeaderName.optional().meta({ description: 'A header in which a trusted proxy names the role of the caller. Needs trusted_proxies or socket_path' }),
    user_header: HeaderName.optional().meta({ description: 'A header in which a trusted proxy names the principal; without it everyone of a role shares one' }),
    proxy_secret: z.string().min(32).max(256).transform((text) => new Secret(Buffer.from(text))).optional().meta({ description: 'What the proxy proves itself with, in the header X-Weir-Proxy-Secret; at least 32 characters' }),
    allow_insecure_no_auth: z.boolean().default(false).meta({ description: 'Accept a non-loopback bind without TLS, or with a default role that may change things' }),
    max_concurrent_sessions: z.int().min(0).max(100_000).default(10).meta({ description: 'Running pipelines at once' }),
    max_concurrent_oneshots: z.int().min(0).max(100_000).default(5).meta({ description: 'One-shot pipelines at once' }),
    roles: z.record(RoleName, RoleSection).default({}).meta({ description: 'Roles of your own: deny-by-default, also under the name of a built-in one; inherits = "…" starts from another' }),
  }).superRefine(usable(({ roles, default_role: defaultRole }) => {
    if (!defineRoles(roles).has(defaultRole)) throw new WeirError('config.invalid', `"${defaultRole}" is not a role.`);
  }, ({ facts }) => (typeof facts['role'] === 'string' ? ['roles', facts['role']] : ['default_role']))).prefault({}),
  security: z.strictObject({
    allowed_file_paths: patterns.superRefine(usable(compilePaths)).default([]).meta({ description: 'Files that pipelines may read: * within a folder, ** also below, such as samples/** or /data/audio/*.wav' }),
    allowed_write_paths: patterns.superRefine(usable(compilePaths)).default([]).meta({ description: 'Files that pipelines may write, in the same form' }),
  }).prefault({}),
  api: z.strictObject({
    enabled: z.boolean().default(true).meta({ description: 'False opens no port: for programs that embed Weir' }),
    host: z.union([z.ipv4(), z.ipv6(), z.literal('localhost')]).optional().meta({ description: 'The same as [server] address' }),
    port: port.optional().meta({ description: 'The same as [server] port' }),
  }).prefault({}),
  streaming_security: z.strictObject({
    enabled: z.boolean().default(true).meta({ description: 'False switches off the middleware that embedding programs use; needs a loopback address and allow_insecure_no_auth' }),
    secret_key: SharedSecret.optional().meta({ description: 'A secret of at least 32 bytes, shared with programs that make access tokens for this server (HS256). Better kept in WEIR_STREAMING_SECURITY__SECRET_KEY_FILE' }),
    token_expiry_seconds: z.int().min(60).max(31_536_000).default(3_600).meta({ description: 'How long a token lasts when nothing else is asked' }),
    session_expiry_seconds: z.int().min(300).max(31_536_000).default(604_800).meta({ description: 'How long a browser stays signed in, at most' }),
    session_idle_seconds: z.int().min(900).max(31_536_000).default(259_200).meta({ description: 'How long a browser stays signed in without asking for anything' }),
    allow_query_tokens: z.boolean().default(false).meta({ description: 'Accept access tokens as ?token= in addresses, where other programs keep them; tickets are the safe way' }),
    rate_limits: z.partialRecord(z.enum(limitNames), RateLimit).default({}).meta({ description: 'Named limits, each { limit, period } in seconds' }),
    allowed_origins: names.superRefine(usable(compileOrigins)).meta({ description: 'The same list as [server.cors] allowed_origins' }),
    encryption: z.strictObject({
      enabled: z.boolean().default(true).meta({ description: 'Encrypt new content at rest' }),
      default_key_bits: z.literal([256, 128], 'write 256 or 128: there is no AES-192 in chunked encryption').default(256).meta({ description: 'For new content. 256: Cobblestone-256 (AES-256-GCM); 128: Cobblestone-128' }),
      key_scope: z.enum(['content', 'user']).default('content').meta({ description: 'user: a key of each owner wraps the keys of their new content, and deleting the owner destroys it' }),
    }).prefault({}),
  }).prefault({}),
  content: z.strictObject({
    max_upload_bytes: z.int().min(1).max(2 ** 44).default(2 ** 36).meta({ description: 'The largest upload' }),
    garbage_grace_seconds: seconds(3_600).meta({ description: 'How long bytes that nothing names are kept' }),
  }).prefault({}),
  fleet: z.strictObject({
    enabled: z.boolean().default(true).meta({ description: 'Accept jobs and workers' }),
    built_in_worker: z.boolean().default(true).meta({ description: 'Run one worker beside the server' }),
    slots: z.int().min(1).max(256).default(1).meta({ description: 'Jobs that the built-in worker runs at once' }),
    max_unfinished_jobs: z.int().min(1).max(1_000_000).default(1_000).meta({ description: 'Unfinished jobs that one principal may have' }),
    lease_seconds: z.number().min(5).max(600).default(30).meta({ description: 'How long a silent worker keeps a job' }),
    stall_seconds: z.number().min(5).max(86_400).default(120).meta({ description: 'How long a job may run without progress' }),
  }).prefault({}),
  audit: z.strictObject({
    checkpoint_events: z.int().min(1).max(1_000).default(100).meta({ description: 'Sign the head of the audit chain after so many events' }),
    checkpoint_seconds: z.number().min(1).max(86_400).default(300).meta({ description: 'Sign it at least this often while there are new events' }),
    retention_days: z.number().min(0).max(36_500).default(0).meta({ description: 'Remove older events, up to a signed checkpoint, leaving a signed cut; 0 keeps everything' }),
    require_export: z.boolean().default(false).meta({ description: 'Remove only what was exported before' }),
    webhook_dead_days: z.number().min(0.001).max(365).default(7).meta({ description: 'Give a webhook up that fails for so long; the next start tries it again' }),
    webhooks: z.array(AuditWebhook).max(20).refine((hooks) => new Set(hooks.map(({ url }) => url)).size === hooks.length, 'two webhooks have the same url').default([]).meta({ description: 'Where events are sent as they happen, each { url, events, secret or secret_file, allow_networks }' }),
  }).prefault({}),
  log: z.strictObject({
    level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info').meta({ description: 'What is logged' }),
  }).prefault({}),
}).superRefine(usable(({ identity, permissions: { roles: defined } }) => {
  if (identity.issuers.length === 0) return;
  const roles = defineRoles(defined);
  for (const { issuer, role_map: map } of identity.issuers) {
    if (identity.issuers.filter((other) => other.issuer === issuer).length > 1) throw new WeirError('config.invalid', `the issuer ${issuer} is there twice`);
    const unknown = Object.values(map).find((role) => !roles.has(role));
    if (unknown !== undefined) throw new WeirError('config.invalid', `role_map of ${issuer} names the role "${unknown}", which is not there`);
    if (roles.get(map['*'] ?? '')?.permissions.has('manage_users') === true) throw new WeirError('config.invalid', `role_map of ${issuer} would let everybody manage users; name the values that may`);
  }
}, () => ['identity', 'issuers'])).superRefine(({ server, permissions: { role_header: role, user_header: user } }, context) => {
  const refuse = (path: string[], message: string): void => { context.addIssue({ code: 'custom', path, message }); };
  if ((role !== undefined || user !== undefined) && server.trusted_proxies === undefined && server.socket_path === undefined) {
    refuse(['permissions', role === undefined ? 'user_header' : 'role_header'], 'who may send this header has to be said: set [server] trusted_proxies = ["127.0.0.1"], or socket_path.');
  }
  if (role !== undefined && role === user) refuse(['permissions', 'user_header'], 'the role and the name come in two headers.');
  if (server.client_ca_path !== undefined && !server.tls) refuse(['server', 'client_ca_path'], 'client certificates need [server] tls = true.');
});
export type Config = z.output<typeof Config>;
