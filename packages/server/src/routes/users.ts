/** Principals and their keys, for who manages users. */
import { ExternalIdentity, ExternalSubject, KeyReplacement, page, Principal, PrincipalChange, PrincipalCreate, PrincipalCreated, PrincipalId, PrincipalKey, PrincipalKind, PrincipalSearch, toInstant } from '@weir/contracts/identity';
import {
  addHmacKey, addPrincipal, changePrincipal, deletePrincipal, getPrincipal, listPrincipals, principalFacts, raisesRights, requireSafeSkew, revealHmacKey, type PrincipalRow,
} from '@weir/data/security-stores/principals';
import { externalOf, linkExternal, unlinkExternal } from '@weir/data/security-stores/external-identities';
import { endEverything } from '@weir/data/security-stores/tokens';
import { scopeOf } from '@weir/data/security-stores/identity-store';
import { createSignInSecret } from '@weir/data/security-stores/login-sessions';
import { canonicalAddress } from '@weir/security/networks';
import { z } from 'zod';
import { changeEntry } from '../audit-trail.ts';
import { route } from '../route.ts';

const ByName = z.strictObject({ name: PrincipalId });

export const routes = [
  route({
    method: 'GET', path: '/api/v1/principals', action: 'user.list', query: PrincipalSearch, reply: page(Principal), summary: 'All principals by name; with address, those who may come from there',
  }, async ({ app, query }) => {
    const rows = await listPrincipals(app.data.read, { after: query.cursor, limit: query.limit });
    const address = query.address === undefined ? undefined : canonicalAddress(query.address);
    return { items: rows.filter((row) => address === undefined || scopeOf(row.networks).contains(address)).map(toWire), next_cursor: rows.length === query.limit ? (rows.at(-1)?.id ?? null) : null };
  }),

  route({
    method: 'GET', path: '/api/v1/principals/:name', action: 'user.list', parameters: ByName, reply: Principal, summary: 'One principal',
  }, async ({ app, parameters }) => toWire(await getPrincipal(app.data.read, parameters.name))),

  route({
    method: 'POST', path: '/api/v1/principals', action: 'user.write', body: PrincipalCreate, reply: PrincipalCreated, status: 201,
    summary: 'A new principal with a key, which is shown this once',
  }, async ({ app, admission, body, requestId }) => app.data.write(async (tx) => {
    app.gatekeeper.requireStepUp({ ...admission, requestId });
    await addPrincipal(tx, app.roles, {
      id: body.principal, role: body.role, permissions: body.permissions, networks: body.networks, kind: body.kind, maxSkewSeconds: body.max_skew_seconds,
    }, app.clock());
    await requireSafeSkew(tx, body.principal, app);
    const key = await addHmacKey(tx, app.keyRing, body.principal, { now: app.clock(), given: body.key });
    await app.audit.record(tx, changeEntry(admission, `principal:${body.principal}`, requestId, `added with role ${body.role}`));
    return { principal: body.principal, role: body.role, key: body.key === undefined ? key : null };
  })),

  route({
    method: 'PATCH', path: '/api/v1/principals/:name', action: 'user.restrict', parameters: ByName, body: PrincipalChange, reply: Principal,
    summary: 'Change role, permissions, networks, or disable; what raises rights asks for a fresh proof, and for an audit log that can be written',
  }, async ({ app, admission, parameters, body, requestId }) => {
    const { row } = await app.audit.reduce(async (tx) => {
      const before = await getPrincipal(tx, parameters.name);
      const { max_skew_seconds: maxSkewSeconds, ...change } = body;
      await changePrincipal(tx, app.roles, parameters.name, { ...change, maxSkewSeconds });
      if (body.max_skew_seconds !== undefined || body.networks !== undefined) await requireSafeSkew(tx, parameters.name, app);
      const after = await getPrincipal(tx, parameters.name);
      const raises = raisesRights(app.roles, before, after);
      if (raises) app.gatekeeper.requirePrivilege({ ...admission, action: 'user.write', requestId });
      return { row: after, action: raises ? 'user.write' : 'user.restrict' };
    }, ({ action }) => ({ ...changeEntry(admission, `principal:${parameters.name}`, requestId, Object.keys(body).join(', ')), action }));
    await app.gatekeeper.epochs.refresh();
    return toWire(row);
  }),

  route({
    method: 'DELETE', path: '/api/v1/principals/:name', action: 'user.write', parameters: ByName, summary: 'Remove a principal, its keys and sessions, and content that only its user key opens',
  }, async ({ app, admission, parameters, requestId }) => {
    await app.data.write(async (tx) => {
      await deletePrincipal(tx, app.roles, parameters.name, app.clock());
      await app.audit.record(tx, changeEntry(admission, `principal:${parameters.name}`, requestId, 'deleted'));
    });
    await app.gatekeeper.epochs.refresh();
  }),

  route({
    method: 'POST', path: '/api/v1/principals/:name/key', action: 'key.rotate', parameters: ByName, body: KeyReplacement, reply: PrincipalCreated, status: 201,
    summary: 'A new key; the one before it ends after the overlap',
  }, async ({ app, admission, parameters, body, requestId }) => {
    const created = await app.data.write(async (tx) => {
      const { role } = await getPrincipal(tx, parameters.name);
      const key = await addHmacKey(tx, app.keyRing, parameters.name, { now: app.clock(), overlapMs: body.overlap_seconds * 1_000, given: body.key });
      await app.audit.record(tx, changeEntry(admission, `principal:${parameters.name}`, requestId, 'key rotated'));
      return { principal: parameters.name, role, key: body.key === undefined ? key : null };
    });
    await app.gatekeeper.epochs.refresh();
    return created;
  }),

  route({
    method: 'POST', path: '/api/v1/principals/:name/key/show', action: 'key.show', parameters: ByName, reply: PrincipalKey,
    summary: 'The request-signing key that a principal has; that it was shown is audited',
  }, async ({ app, admission, parameters: { name }, requestId }) => app.data.write(async (tx) => {
    const { id, key } = await revealHmacKey(tx, app.keyRing, name, app.clock());
    await app.audit.record(tx, changeEntry(admission, `principal:${name}`, requestId, `key ${id} shown`));
    return { principal: name, key_id: id, key };
  })),

  route({
    method: 'POST', path: '/api/v1/principals/:name/sign-in-link', action: 'user.write', parameters: ByName, reply: z.strictObject({ link: z.string() }), status: 201,
    summary: 'A one-time sign-in link, good for ten minutes',
  }, async ({ app, admission, parameters, requestId }) => {
    // Whoever has the link becomes that principal.
    app.gatekeeper.requireStepUp({ ...admission, requestId });
    const secret = await app.data.write(async (tx) => {
      await app.audit.record(tx, changeEntry(admission, `principal:${parameters.name}`, requestId, 'sign-in link'));
      return createSignInSecret(tx, parameters.name, app.clock());
    });
    return { link: `${app.publicUrl()}/sign-in#${secret}` };
  }),

  route({
    method: 'POST', path: '/api/v1/principals/:name/end-everything', action: 'user.restrict', parameters: ByName, summary: 'End all tokens and sessions of a principal',
  }, async ({ app, admission, parameters, requestId }) => {
    await app.audit.reduce((tx) => endEverything(tx, parameters.name, app.clock()), changeEntry(admission, `principal:${parameters.name}`, requestId, 'all tokens and sessions ended'));
    await app.gatekeeper.epochs.refresh();
  }),

  route({
    method: 'GET', path: '/api/v1/principals/:name/identities', action: 'user.list', parameters: ByName, reply: z.strictObject({ items: z.array(ExternalIdentity) }),
    summary: 'Subjects of other issuers that are this principal',
  }, async ({ app, parameters }) => {
    await getPrincipal(app.data.read, parameters.name);
    const rows = await externalOf(app.data.read, parameters.name);
    return { items: rows.map((row) => ({ issuer: row.issuer, subject: row.subject, created_at: toInstant(row.created_at), follows_role: row.role_as_of !== null })) };
  }),

  route({
    method: 'POST', path: '/api/v1/principals/:name/identities', action: 'user.write', parameters: ByName, body: ExternalSubject,
    summary: 'Say that a subject of another issuer is this principal; its tokens then narrow this principal’s role',
  }, async ({ app, admission, parameters, body, requestId }) => {
    // Whoever is that subject becomes that principal.
    app.gatekeeper.requireStepUp({ ...admission, requestId });
    await app.data.write(async (tx) => {
      await linkExternal(tx, body, parameters.name, app.clock());
      await app.audit.record(tx, changeEntry(admission, `principal:${parameters.name}`, requestId, `linked to a subject of ${body.issuer}`));
    });
    await app.gatekeeper.epochs.refresh();
  }),

  route({
    method: 'DELETE', path: '/api/v1/principals/:name/identities', action: 'user.restrict', parameters: ByName, query: ExternalSubject,
    summary: 'Take such a link back; tokens of that subject are refused',
  }, async ({ app, admission, parameters, query, requestId }) => {
    await app.audit.reduce((tx) => unlinkExternal(tx, query, parameters.name),
      changeEntry(admission, `principal:${parameters.name}`, requestId, `no longer linked to a subject of ${query.issuer}`));
    await app.gatekeeper.epochs.refresh();
  }),
];

const toWire = (row: PrincipalRow): z.input<typeof Principal> =>
  ({ principal: row.id, kind: PrincipalKind.parse(row.kind), role: row.role, created_at: toInstant(row.created_at), ...principalFacts(row) });
