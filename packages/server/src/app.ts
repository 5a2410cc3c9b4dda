/** What a running server is made of. Built once at the start (`compose`), handed to every route, never changed. */
import type { Clock } from '@weir/contracts/clock';
import type { ContentStore } from '@weir/content/store';
import type { Data } from '@weir/data/data';
import type { SigningKeys } from '@weir/data/security-stores/signing-keys';
import type { Viewers } from '@weir/delivery/viewers';
import type { Coordinator } from '@weir/fleet/coordinator/coordinator';
import type { Gatekeeper } from '@weir/security/gatekeeper';
import type { HostRules } from '@weir/security/hosts';
import type { KeyRing } from '@weir/security/key-ring';
import type { OriginRules } from '@weir/security/origins';
import type { ProxyTrust } from '@weir/security/client-address';
import type { Limits } from '@weir/security/rate-limits';
import type { ReplayStore } from '@weir/security/replay';
import type { Role } from '@weir/security/roles';
import type { Logger } from 'pino';
import type { AuditTrail } from './audit-trail.ts';
import type { Config } from './config/schema.ts';
import type { StoredHolding } from './object-store.ts';
import type { ProxyHeaders } from './proxy-claim.ts';
import type { SessionUse } from './session-use.ts';
import type { OidcProvider } from './sign-in/oidc-provider.ts';

export type App = Readonly<{
  version: string;
  config: Config;
  clock: Clock;
  log: Logger;
  data: Data;
  dataPath: string;
  instanceId: string;
  /** `iss` and `aud` of every token of this instance. */
  tokenAudience: string;
  keyRing: KeyRing;
  signing: SigningKeys;
  roles: ReadonlyMap<string, Role>;
  gatekeeper: Gatekeeper<StoredHolding>;
  viewers: Viewers<StoredHolding>;
  content: ContentStore;
  /** Undefined while the fleet is switched off or a program that it needs is missing; `fleetProblem` says which. */
  coordinator: Coordinator | undefined;
  fleetProblem: string | undefined;
  audit: AuditTrail;
  limits: Limits;
  sessionUse: SessionUse;
  replay: ReplayStore;
  hosts: HostRules;
  ownOrigins: OriginRules;
  allowedOrigins: OriginRules;
  proxies: ProxyTrust;
  /** The same for what comes by the Unix socket. */
  socketProxies: ProxyTrust;
  /** Headers in which a proxy says who the caller is; undefined where none is read. */
  proxyHeaders: ProxyHeaders | undefined;
  /** Providers that people sign in with, by name. */
  oidc: ReadonlyMap<string, OidcProvider>;
  /** Whether browsers reach this server by HTTPS. */
  secure: boolean;
  /** The address that links are made with. */
  publicUrl: () => string;
  /** SHA-256 of the certificate that workers pin, in hex; null without TLS here. */
  certificateFingerprint: () => string | null;
  /** What is not as safe as it could be, for `doctor` and the web page. */
  warnings: readonly Warning[];
  stopping: AbortSignal;
}>;

export type Warning = Readonly<{ code: string; message: string; next_step: string }>;
