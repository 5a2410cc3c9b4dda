/** Workers: invited, joined, listed, drained. Their connection itself is a socket (`worker-socket`). */
import { page, PrincipalId, toInstant } from '@weir/contracts/identity';
import { Invite, JoinReply, JoinRequest, Worker } from '@weir/contracts/workers';
import { WeirError } from '@weir/contracts/errors';
import { acceptJoin, createInvite, inviteLink } from '@weir/fleet/coordinator/invites';
import { publicJwk } from '@weir/security/token-keys';
import { z } from 'zod';
import { changeEntry } from '../audit-trail.ts';
import { route } from '../route.ts';
import { fleet } from './jobs.ts';

const ByName = z.strictObject({ name: PrincipalId });
const WorkerChange = z.strictObject({ draining: z.boolean().optional(), quarantined: z.literal(false).optional() });

export const routes = [
  route({ method: 'GET', path: '/api/v1/workers', action: 'worker.list', reply: page(Worker), summary: 'Workers with their load and capabilities' },
    async ({ app }) => ({ items: await fleet(app).workers(), next_cursor: null })),

  route({
    method: 'POST', path: '/api/v1/workers/invites', action: 'worker.manage', reply: Invite, status: 201, summary: 'A link with which one machine may join, once, within ten minutes',
  }, async ({ app, admission, principal, requestId }) => {
    const invite = await createInvite(app.data, principal, app.clock(), (tx) => app.audit.record(tx, changeEntry(admission, 'worker-invite', requestId)));
    // Behind a proxy workers meet its certificate, which an authority vouches for, and not this server's.
    return { link: inviteLink(app.publicUrl(), app.config.server.behind_proxy ? null : app.certificateFingerprint(), invite.secret), expires_at: toInstant(invite.expiresAt) };
  }),

  route({
    method: 'POST', path: '/api/v1/workers/join', action: 'worker.join', body: JoinRequest, reply: JoinReply, status: 201, summary: 'Use an invitation up: register a worker’s own key',
  }, async ({ app, admission, body, requestId }) => {
    await acceptJoin(app.data, app.roles, body, app.clock(), (tx, inviter) =>
      app.audit.record(tx, { ...changeEntry(admission, `principal:${body.name}`, requestId, `worker joined by an invitation of ${inviter}`), principal: body.name }));
    const key = publicJwk(app.signing.instance.signing);
    if (key === undefined) throw new WeirError('internal');
    return { worker: body.name, instance: app.instanceId, instance_key: { kty: 'OKP' as const, crv: 'Ed25519' as const, x: key['x'] ?? '', kid: app.signing.instance.signing.id } };
  }),

  route({
    method: 'PATCH', path: '/api/v1/workers/:name', action: 'worker.manage', parameters: ByName, body: WorkerChange, summary: 'Drain a worker, or release it from quarantine',
  }, async ({ app, admission, parameters, body, requestId }) => {
    await fleet(app).changeWorker(parameters.name, body, (tx) => app.audit.record(tx, changeEntry(admission, `worker:${parameters.name}`, requestId, JSON.stringify(body))));
  }),
];
