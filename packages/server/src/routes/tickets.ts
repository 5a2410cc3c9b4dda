/** One-time tickets for what can send no headers. */
import { WeirError } from '@weir/contracts/errors';
import { toInstant } from '@weir/contracts/identity';
import { TicketReply, TicketRequest } from '@weir/contracts/tickets';
import { resourceOf } from '../explain.ts';
import { route } from '../route.ts';
import { countingRefusals } from '../serve-route.ts';
import { makeTicket } from '../tickets.ts';

export const routes = [
  route({
    method: 'POST', path: '/api/v1/tickets', action: 'ticket.create', body: TicketRequest, reply: TicketReply, status: 201, resource: () => ({ kind: 'own' }),
    summary: 'A ticket for one content, job, list of jobs or socket: goes into the address as ?ticket=, works once, within 30 seconds',
  }, async ({ app, admission: { identity }, principal, body: { action, object, grant: token }, address, requestId }) => {
    if (action === 'content.read' && object === undefined) throw new WeirError('request.invalid', 'Name the content that the ticket is for.');
    const resource = object === undefined ? { kind: 'own' } as const : await resourceOf(app, action, object, identity);
    const grant = token === undefined ? undefined : await countingRefusals(app, { action, address, requestId }, () => app.gatekeeper.identities.grant(token, address));
    if (grant?.principal !== undefined && grant.principal !== principal) throw new WeirError('policy.refused', 'This link is for somebody else; sign in as the person it was made for.');
    await app.gatekeeper.admit({ identity, grant, action, resource, address, requestId });
    const { ticket, expiresAtMs } = await makeTicket(app, identity, grant, action, resource);
    return { ticket, expires_at: toInstant(expiresAtMs) };
  }),
];
