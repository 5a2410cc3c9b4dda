/** The signing keys: listed, replaced; their public halves for others who check our tokens. */
import { toInstant } from '@weir/contracts/identity';
import { CertificateQuery, CertificateWords, certificatePath, InstanceDocument, instancePath } from '@weir/contracts/instance';
import { KeyPurpose, KeyRotated, KeyRotation, SigningKeys } from '@weir/contracts/keys';
import { keyState, listSigningKeys, rotateSigningKey } from '@weir/data/security-stores/key-rotation';
import { signCertificate } from '@weir/fleet/assignment';
import { publicJwk } from '@weir/security/token-keys';
import { z } from 'zod';
import { changeEntry } from '../audit-trail.ts';
import { instanceSigner } from '../instance-signer.ts';
import { route } from '../route.ts';

const JwkSet = z.strictObject({ keys: z.array(z.record(z.string(), z.string())) });
/** Who keeps the set longer than this may go on trusting a void key. */
const publicForSeconds = 60;

export const routes = [
  route({
    method: 'GET', path: '/api/v1/keys', action: 'key.list', reply: SigningKeys, summary: 'The keys that sign, with their state; no secret',
  }, async ({ app }) => {
    const now = app.clock();
    const rows = await listSigningKeys(app.data.read);
    return { items: rows.map((row) => ({
      kid: row.id, purpose: KeyPurpose.parse(row.purpose), algorithm: row.algorithm, state: keyState(row, now), created_at: toInstant(row.created_at),
      retired_at: row.retired_at === null ? null : toInstant(row.retired_at), verifies_until: row.verifies_until === null ? null : toInstant(row.verifies_until),
    })) };
  }),

  route({
    method: 'POST', path: '/api/v1/keys/rotate', action: 'key.rotate', body: KeyRotation, reply: KeyRotated, status: 201,
    summary: 'A new signing key for a purpose; what the old one signed holds until its end, or (compromised) ends now',
  }, async ({ app, admission, body, requestId }) => {
    const now = app.clock();
    const rotation = await app.data.write(async (tx) => {
      const rotated = await rotateSigningKey(tx, app.keyRing, body.purpose, { now, compromised: body.compromised });
      await app.audit.record(tx, changeEntry(admission, `key:${rotated.id}`, requestId, body.compromised ? `${body.purpose}: all older keys void` : `${body.purpose}: replaced`));
      return rotated;
    });
    for (const id of rotation.voided) app.signing.forget(id);
    await app.signing.reload(now);
    await app.gatekeeper.epochs.refresh();
    return { purpose: body.purpose, kid: rotation.id, verifies_until: toInstant(rotation.verifiesUntilMs), voided: [...rotation.voided] };
  }),

  route({
    method: 'GET', path: instancePath, action: 'health.read', reply: InstanceDocument, summary: 'The name of this instance, and the public keys that its answers to signed requests are signed with',
  }, async ({ app }) => {
    const { signing, all } = app.signing.instance;
    const keys = [signing, ...[...all.values()].filter(({ id }) => id !== signing.id)];
    return { instance: app.instanceId, keys: keys.map((key) => ({ kty: 'OKP', crv: 'Ed25519', x: publicJwk(key)?.['x'] ?? '', kid: key.id } as const)) };
  }),

  route({
    method: 'GET', path: certificatePath, action: 'health.read', query: CertificateQuery, reply: CertificateWords, summary: 'The words of this instance that its TLS certificate is its own, for workers that pinned the one before',
  }, async ({ app, query: { nonce } }) => {
    const fingerprint = app.certificateFingerprint();
    // Where TLS ends in front of this server, the certificate is not its own.
    if (fingerprint === null) return { words: [] };
    const claims = { instance: app.instanceId, fingerprint, nonce };
    return { words: [...app.signing.instance.all.values()].map((key) => signCertificate(instanceSigner(key), claims)) };
  }),

  route({
    method: 'GET', path: '/.well-known/jwks.json', action: 'health.read', reply: JwkSet, summary: 'Public keys of access tokens (RFC 7517): the current one first, then those whose tokens still hold',
  }, async ({ app, reply }) => {
    reply.header('cache-control', `public, max-age=${publicForSeconds}`);
    return { keys: [...app.signing.access.all.values()].flatMap((key) => { const jwk = publicJwk(key); return jwk === undefined ? [] : [{ ...jwk }]; }) };
  }),
];
