/** Passkeys: signing in with one, and one's own. */
import { LoginReply, page, toInstant, Ulid } from '@weir/contracts/identity';
import { Assertion, AssertionOptions, CreationOptions, Passkey, PasskeyCreate, PasskeyName } from '@weir/contracts/sign-in';
import { addPasskey, listPasskeys, removePasskey, renamePasskey, usePasskey, type PasskeyRow } from '@weir/data/security-stores/passkeys';
import { requireWayIn } from '@weir/data/security-stores/ways-in';
import { EvidenceRefused } from '@weir/security/identity';
import { z } from 'zod';
import { changeEntry } from '../audit-trail.ts';
import { route } from '../route.ts';
import { issuersOf } from '../sign-in/oidc-provider.ts';
import { assertionOptions, creationOptions, verifyAssertion, verifyRegistration } from '../sign-in/passkeys.ts';
import { beginSession, giveSession } from '../sign-in/session-cookie.ts';

const ById = z.strictObject({ id: Ulid });

export const routes = [
  route({
    method: 'POST', path: '/auth/passkey/challenge', action: 'login.open', reply: AssertionOptions, summary: 'What to ask an authenticator for, to sign in without a name',
  }, async ({ app, incoming }) => assertionOptions(app, incoming, 'passkey-sign-in', { subject: '' })),

  route({
    method: 'POST', path: '/auth/passkey', action: 'login.open', body: Assertion, reply: LoginReply, summary: 'Sign in with a passkey and start a session',
  }, async (context) => {
    const { app, incoming, body, reply } = context;
    const { passkey, counter } = await verifyAssertion(app, incoming, 'passkey-sign-in', '', body);
    const session = await app.data.write(async (tx) => {
      const now = app.clock();
      if (!await usePasskey(tx, passkey.id, counter, now)) return undefined;
      return beginSession(tx, context, { principal: passkey.principal, method: 'passkey', provedAtMs: now, detail: `signed in by passkey:${passkey.id}` });
    });
    if (session === undefined) throw new EvidenceRefused('passkey gone, copied, or of a disabled principal', passkey.principal);
    await app.gatekeeper.epochs.refresh();
    return giveSession(app, reply, session);
  }),

  route({
    method: 'GET', path: '/auth/passkeys', action: 'passkey.list', reply: page(Passkey), resource: () => ({ kind: 'own' }), summary: 'Your passkeys, newest first',
  }, async ({ app, principal }) => ({ items: (await listPasskeys(app.data.read, principal)).map(toWire), next_cursor: null })),

  route({
    method: 'POST', path: '/auth/passkeys/challenge', action: 'passkey.add', reply: CreationOptions, resource: () => ({ kind: 'own' }),
    summary: 'What to ask an authenticator for, to add a passkey',
  }, async ({ app, incoming, principal }) => creationOptions(app, incoming, principal)),

  route({
    method: 'POST', path: '/auth/passkeys', action: 'passkey.add', body: PasskeyCreate, reply: Passkey, status: 201, resource: () => ({ kind: 'own' }),
    summary: 'Add the passkey that an authenticator made',
  }, async ({ app, admission, incoming, principal, body, requestId }) => {
    const made = await verifyRegistration(app, incoming, principal, body.registration);
    return toWire(await app.data.write(async (tx) => {
      const row = await addPasskey(tx, { ...made, principal, name: body.name }, app.clock());
      await app.audit.record(tx, changeEntry(admission, `passkey:${row.id}`, requestId, `added for ${row.rp_id}`));
      return row;
    }));
  }),

  route({
    method: 'PATCH', path: '/auth/passkeys/:id', action: 'passkey.rename', parameters: ById, body: z.strictObject({ name: PasskeyName }), reply: Passkey,
    resource: ({ id }) => ({ kind: 'object', type: 'passkey', id }), summary: 'Give a passkey of yours another name',
  }, async ({ app, admission, parameters, body, requestId }) => toWire(await app.data.write(async (tx) => {
    const row = await renamePasskey(tx, parameters.id, body.name);
    await app.audit.record(tx, changeEntry(admission, `passkey:${row.id}`, requestId, 'renamed'));
    return row;
  }))),

  route({
    method: 'DELETE', path: '/auth/passkeys/:id', action: 'passkey.remove', parameters: ById, query: z.strictObject({ last: z.literal('true').optional() }),
    resource: ({ id }) => ({ kind: 'object', type: 'passkey', id }), summary: 'Remove a passkey of yours; the last way to sign in only with last=true',
  }, async ({ app, admission, parameters, query, requestId }) => {
    await app.audit.reduce(async (tx) => {
      const row = await removePasskey(tx, parameters.id);
      if (query.last === undefined) await requireWayIn(tx, row.principal, issuersOf(app));
    }, changeEntry(admission, `passkey:${parameters.id}`, requestId, 'removed'));
  }),
];

const toWire = (row: PasskeyRow): z.input<typeof Passkey> => ({
  passkey_id: row.id, name: row.name, host: row.rp_id, created_at: toInstant(row.created_at), last_used_at: row.last_used_at === null ? null : toInstant(row.last_used_at),
});
