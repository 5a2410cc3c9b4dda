/** The other issuers of the configuration, with their keys and with the principals that their subjects are. */
import { readFile } from 'node:fs/promises';
import type { Clock } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { adoptExternal, findExternal, needsAdopting } from '@weir/data/security-stores/external-identities';
import { ExternalIssuers, type ExternalIssuer, type ExternalSubject } from '@weir/security/external-issuers';
import type { Epochs } from '@weir/security/epochs';
import { EvidenceRefused } from '@weir/security/identity';
import { IssuerKeys, type ReadKeySet } from '@weir/security/issuer-keys';
import type { Logger } from 'pino';
import type { AuditTrail } from './audit-trail.ts';
import type { Config } from './config/schema.ts';
import type { Instance } from './instance.ts';
import { brokerTo } from './named-hosts.ts';

type Parts = Readonly<{ clock: Clock; audit: AuditTrail; epochs: Epochs; log: Logger }>;
type IssuerKeysConfig = Pick<Config['identity']['issuers'][number], 'jwks_file' | 'jwks_uri' | 'allow_networks'>;
const maxSetBytes = 262_144;

/** Undefined where none is configured: no token is even looked at then. */
export function openIssuers(instance: Instance, parts: Parts): ExternalIssuers | undefined {
  const { issuers } = instance.config.identity;
  const { clock, log } = parts;
  if (issuers.length === 0) return undefined;
  return new ExternalIssuers(issuers.map((entry): ExternalIssuer => ({
    issuer: entry.issuer, audience: entry.audience, algorithms: entry.algorithms, roleClaim: entry.role_claim, roles: new Map(Object.entries(entry.role_map)), create: entry.create,
    keys: new IssuerKeys({ read: keySetOf(entry), clock, onError: (error) => log.warn({ err: error, issuer: entry.issuer }, 'the keys of an issuer could not be read') }),
  })), (subject) => adopt(instance, subject, parts));
}

/** Errors of what it returns: `outbound.failed`, `outbound.refused`, or of the file. */
export function keySetOf({ jwks_file: file, jwks_uri: address = '', allow_networks: networks }: IssuerKeysConfig): ReadKeySet {
  if (file !== undefined) return async () => ({ text: await readFile(file, 'utf8') });
  const broker = brokerTo([address], networks, { responseBytes: maxSetBytes });
  return async () => {
    const { status, headers, body } = await broker.fetch({ url: address, headers: { accept: 'application/json' } });
    if (status !== 200) throw new WeirError('outbound.failed', `${new URL(address).origin} answers ${status}.`);
    const maxAge = /(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/i.exec(headers['cache-control'] ?? '')?.[1];
    return { text: body.toString('utf8'), maxAgeSeconds: maxAge === undefined ? undefined : Number(maxAge) };
  };
}

async function adopt({ data, roles }: Instance, subject: ExternalSubject, { clock, audit, epochs }: Parts): Promise<string | undefined> {
  const known = await findExternal(data.read, subject);
  if (known !== undefined && !needsAdopting(known, subject.issuedAtMs)) return known.principal;
  if (known === undefined && !subject.create) return undefined;
  if (!audit.works) throw new EvidenceRefused('audit unavailable', known?.principal);
  try {
    const principal = await data.write(async (tx) => {
      const adopted = await adoptExternal(tx, roles, subject, clock());
      if (adopted !== undefined && adopted.change !== 'none') {
        const reason = adopted.change === 'made' ? `made with role ${subject.role} by a token of ${subject.issuer}` : `role ${subject.role} by a token of ${subject.issuer}`;
        await audit.record(tx, { class: 'A', principal: adopted.principal, address: '', action: 'user.write', object: `principal:${adopted.principal}`, decision: 'allowed', reason, requestId: '' });
      }
      return adopted?.principal;
    });
    // What this request is decided by is what was just written.
    await epochs.refresh();
    return principal;
  } catch (error) {
    // Two first tokens at once: the other has made it. The last principal that manages users keeps its role; the token narrows it all the same.
    if (!(error instanceof WeirError) || (error.code !== 'principal.exists' && error.code !== 'principal.last_admin')) throw error;
    return (await findExternal(data.read, subject))?.principal;
  }
}
