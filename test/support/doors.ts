/** How each route is called, on things of the caller's own and of somebody else's. What must come of it is not said here. */
import { generateKeyPairSync } from 'node:crypto';
import type { RawRequest } from './raw-http.ts';
import { atPage, otherName, type Belongings, type Caller, type RoleColumn, type World } from './world.ts';

/** Whose object a case is about. `public`, `protected`, `granted`: somebody else's content under such a policy or by a link. */
export type Whose = 'owner' | 'foreigner' | 'leased' | 'public' | 'protected' | 'granted';
export type Case = Readonly<{
  action: string; whose: Whose; only?: readonly RoleColumn[];
  request: (world: World, caller: Caller) => Promise<RawRequest & { upgrade?: boolean }>;
}>;

type Make = (world: World, caller: Caller) => Promise<Omit<RawRequest, 'headers'> & { headers?: Record<string, string>; upgrade?: boolean }> | (Omit<RawRequest, 'headers'> & { headers?: Record<string, string> });

const one = (action: string, whose: Whose, make: Make, only?: readonly RoleColumn[]): Case => ({
  action, whose, ...(only === undefined ? {} : { only }),
  request: async (world, caller) => {
    const request = await make(world, caller);
    // What asks for a fresh proof is asked with a session that has one: a token has none, whatever its role.
    const evidence = asksForProof.has(action) ? caller.fresh : caller.headers;
    return { ...request, headers: { ...evidence, ...(request.body === undefined ? {} : { 'content-type': 'application/json' }), ...request.headers } };
  },
});

const asksForProof: ReadonlySet<string> = new Set([
  'token.issue', 'user.write', 'key.rotate', 'key.show', 'login_session.prove', 'passkey.add', 'passkey.remove', 'identity.link', 'identity.unlink',
]);

/** The caller's own things; for who has none, somebody else's. */
const mine = (world: World, caller: Caller): Belongings => caller.own ?? world.other;

/** The same call on an own and on a foreign thing. */
const both = (action: string, make: (things: Belongings, name: string) => Promise<RawRequest> | RawRequest): readonly Case[] => [
  one(action, 'owner', (world, caller) => withoutHeaders(make(mine(world, caller), caller.own === undefined ? otherName : caller.name))),
  one(action, 'foreigner', (world) => withoutHeaders(make(world.other, otherName))),
];
async function withoutHeaders(request: Promise<RawRequest> | RawRequest): Promise<Omit<RawRequest, 'headers'>> {
  const { headers: _none, ...rest } = await request;
  return rest;
}

const get = (action: string, target: string): readonly Case[] => [one(action, 'owner', () => ({ target }))];
const json = (value: unknown): string => JSON.stringify(value);

/** Management of principals: on oneself where it will be refused, on a new principal where it may work. */
const onPrincipal = (action: string, method: string, path: string, body?: unknown): readonly Case[] => {
  const call = (name: string) => ({ method, target: `/api/v1/principals/${name}${path}`, ...(body === undefined ? {} : { body: json(body) }) });
  return [
    one(action, 'owner', async (world, caller) => call(caller.role === 'admin' || caller.role === 'none' ? await world.freshPrincipal() : caller.name)),
    one(action, 'foreigner', async (world) => call(await world.freshPrincipal())),
  ];
};

const read = (method: string): readonly Case[] => [
  ...both('content.read', ({ content }) => ({ method, target: `/api/v1/content/${content.cid}` })),
  one('content.read', 'public', (world) => ({ method, target: `/api/v1/content/${world.publicCid}` })),
  one('content.read', 'protected', (world) => ({ method, target: `/api/v1/content/${world.protectedCid}` })),
  one('content.read', 'granted', (world) => ({ method, target: world.link }), ['none']),
  one('content.read_any', 'foreigner', (world) => ({ method, target: `/api/v1/content/${world.other.content.cid}?owner=${otherName}` })),
];

const jobPart = (action: string, method: string, path: string, token: (world: World) => string, body?: string): readonly Case[] => {
  const call = (job: string) => ({ method, target: `/api/v1/jobs/${job}/${path}`, ...(body === undefined ? {} : { body }) });
  const octets = body === undefined ? {} : { 'content-type': 'application/octet-stream' };
  return [
    one(action, 'owner', async (world, caller) => ({ ...call(await mine(world, caller).endedJob()), headers: octets })),
    one(action, 'foreigner', (world) => ({ ...call(world.held.assignment.job_id), headers: octets })),
    one(action, 'foreigner', async (world) => ({ ...call(await world.other.queuedJob()), headers: { ...octets, authorization: `Bearer ${token(world)}` } }), ['worker']),
    one(action, 'leased', (world) => ({ ...call(world.held.assignment.job_id), headers: { ...octets, authorization: `Bearer ${token(world)}` } }), ['worker']),
  ];
};

const ofJob = (action: string, method: string, path: string, ended: boolean): readonly Case[] => [
  ...both(action, async (things) => ({ method, target: `/api/v1/jobs/${await (ended ? things.endedJob() : things.queuedJob())}${path}` })),
];

const newKey = (): string => generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x ?? '';

export const doors: Readonly<Record<string, readonly Case[]>> = {
  'GET /healthz': get('health.read', '/healthz'),
  'GET /api/v1/status': get('status.read', '/api/v1/status'),
  'POST /auth/login': [one('login.open', 'owner', async (world) => ({ method: 'POST', target: '/auth/login', body: json({ secret: await world.signInSecret() }) }))],
  'POST /auth/logout': [one('login_session.end', 'owner', async (world, caller) => ({
    method: 'POST', target: '/auth/logout', headers: caller.own === undefined ? {} : { cookie: (await caller.own.session()).cookie, origin: world.weir.url },
  }))],
  'GET /auth/sessions': [
    one('login_session.list', 'owner', (_, caller) => ({ target: caller.own === undefined ? '/auth/sessions' : `/auth/sessions?owner=${caller.name}` })),
    one('login_session.list', 'foreigner', () => ({ target: `/auth/sessions?owner=${otherName}` })),
  ],
  'DELETE /auth/sessions/:id': both('login_session.end', async (things) => ({ method: 'DELETE', target: `/auth/sessions/${(await things.session()).id}` })),

  'GET /auth/methods': get('login.open', '/auth/methods'),

  'POST /auth/passkey/challenge': [one('login.open', 'owner', (world) => ({ method: 'POST', target: '/auth/passkey/challenge', headers: atPage(world.weir) }))],
  'POST /auth/passkey': [one('login.open', 'owner', async (world) => ({ method: 'POST', target: '/auth/passkey', headers: { ...atPage(world.weir) }, body: json(await world.assertion()) }))],
  'GET /auth/passkeys': get('passkey.list', '/auth/passkeys'),
  'POST /auth/passkeys/challenge': [one('passkey.add', 'owner', (world) => ({ method: 'POST', target: '/auth/passkeys/challenge', headers: atPage(world.weir) }))],
  'POST /auth/passkeys': [one('passkey.add', 'owner', async (world, caller) => ({
    method: 'POST', target: '/auth/passkeys', headers: atPage(world.weir), body: json({ name: 'Phone', registration: await world.registration(caller.fresh) }),
  }))],
  'PATCH /auth/passkeys/:id': both('passkey.rename', async (things) => ({ method: 'PATCH', target: `/auth/passkeys/${await things.passkey()}`, body: json({ name: 'Other' }) })),
  'DELETE /auth/passkeys/:id': both('passkey.remove', async (things) => ({ method: 'DELETE', target: `/auth/passkeys/${await things.passkey()}?last=true` })),
  'POST /auth/step-up/challenge': [one('login_session.prove', 'owner', (world) => ({ method: 'POST', target: '/auth/step-up/challenge', headers: atPage(world.weir) }))],
  'POST /auth/step-up': [one('login_session.prove', 'owner', async (world, caller) => ({
    method: 'POST', target: '/auth/step-up', body: json({ method: 'link', secret: await world.signInSecret(caller.own === undefined ? otherName : caller.name) }),
  }))],
  // The provider of this world is down: who may sign in is sent to the page that says so.
  'GET /auth/oidc/:name': get('login.open', '/auth/oidc/idp'),
  'GET /auth/oidc/:name/callback': get('login.open', '/auth/oidc/idp/callback?state=x&code=y'),
  'POST /auth/oidc/:name/link': [one('identity.link', 'owner', () => ({ method: 'POST', target: '/auth/oidc/idp/link' }))],
  'POST /auth/oidc/:name/step-up': [one('login_session.prove', 'owner', () => ({ method: 'POST', target: '/auth/oidc/idp/step-up' }))],
  'GET /auth/identities': get('identity.list', '/auth/identities'),
  'DELETE /auth/identities': both('identity.unlink', async (things) => ({ method: 'DELETE', target: await things.identity() })),

  'POST /api/v1/tokens': [
    one('token.issue_own', 'owner', () => ({ method: 'POST', target: '/api/v1/tokens', body: json({ expires_in: 60 }) })),
    one('token.issue', 'foreigner', () => ({ method: 'POST', target: '/api/v1/tokens', body: json({ principal: otherName, expires_in: 60 }) })),
  ],
  'GET /api/v1/tokens': both('token.list', (_, name) => ({ target: `/api/v1/tokens?owner=${name}` })),
  'DELETE /api/v1/tokens': [
    // Of a principal whose tokens nothing else in the test needs; on oneself where it is refused.
    one('token.revoke', 'owner', () => ({ method: 'DELETE', target: '/api/v1/tokens' }), ['none']),
    one('token.revoke', 'foreigner', async (world) => ({ method: 'DELETE', target: `/api/v1/tokens?owner=${await world.freshPrincipal()}` })),
  ],
  'DELETE /api/v1/tokens/:jti': both('token.revoke', async (things) => ({ method: 'DELETE', target: `/api/v1/tokens/${await things.token()}` })),
  'POST /api/v1/tickets': [one('ticket.create', 'owner', (world) => ({ method: 'POST', target: '/api/v1/tickets', body: json({ action: 'content.read', object: world.publicCid }) }))],
  'GET /api/v1/permissions': get('permissions.read_own', '/api/v1/permissions'),
  'GET /api/v1/keys': [one('key.list', 'foreigner', () => ({ target: '/api/v1/keys' }))],
  'POST /api/v1/keys/rotate': [one('key.rotate', 'foreigner', () => ({ method: 'POST', target: '/api/v1/keys/rotate', body: json({ purpose: 'grant' }) }))],
  'GET /.well-known/weir-instance': get('health.read', '/.well-known/weir-instance'),
  'GET /.well-known/weir-certificate': get('health.read', `/.well-known/weir-certificate?nonce=${'A'.repeat(22)}`),
  'GET /.well-known/jwks.json': get('health.read', '/.well-known/jwks.json'),

  'GET /api/v1/principals': get('user.list', '/api/v1/principals'),
  'POST /api/v1/principals': [one('user.write', 'foreigner', (world) => ({ method: 'POST', target: '/api/v1/principals', body: json({ principal: world.newName(), role: 'user' }) }))],
  'GET /api/v1/principals/:name': onPrincipal('user.list', 'GET', ''),
  'PATCH /api/v1/principals/:name': onPrincipal('user.write', 'PATCH', '', { role: 'admin' }),
  'DELETE /api/v1/principals/:name': onPrincipal('user.write', 'DELETE', ''),
  'POST /api/v1/principals/:name/key': onPrincipal('key.rotate', 'POST', '/key', {}),
  'POST /api/v1/principals/:name/key/show': onPrincipal('key.show', 'POST', '/key/show'),
  'POST /api/v1/principals/:name/sign-in-link': onPrincipal('user.write', 'POST', '/sign-in-link'),
  'GET /api/v1/principals/:name/identities': onPrincipal('user.list', 'GET', '/identities'),
  'POST /api/v1/principals/:name/identities': [one('user.write', 'foreigner', async (world) => ({
    method: 'POST', target: `/api/v1/principals/${await world.freshPrincipal()}/identities`, body: json({ issuer: 'https://idp.example', subject: world.newName() }),
  }))],
  'DELETE /api/v1/principals/:name/identities': [one('user.restrict', 'foreigner', async (world) => {
    const [name, identity] = [await world.freshPrincipal(), { issuer: 'https://idp.example', subject: world.newName() }];
    await world.admin.json('POST', `/api/v1/principals/${name}/identities`, identity);
    return { method: 'DELETE', target: `/api/v1/principals/${name}/identities?${new URLSearchParams(identity).toString()}` };
  })],
  'POST /api/v1/principals/:name/end-everything': onPrincipal('user.restrict', 'POST', '/end-everything'),

  'POST /api/v1/content': [one('content.write', 'owner', () => ({ method: 'POST', target: '/api/v1/content', body: 'bytes', headers: { 'content-type': 'application/octet-stream' } }))],
  'GET /api/v1/content/:cid': read('GET'),
  'HEAD /api/v1/content/:cid': read('HEAD'),
  'DELETE /api/v1/content/:cid': both('content.delete', async (things) => ({ method: 'DELETE', target: `/api/v1/content/${(await things.spare()).cid}` })),

  'GET /api/v1/policies/:cid': both('policy.read', ({ content }, name) => ({ target: `/api/v1/policies/${content.cid}?owner=${name}` })),
  'PUT /api/v1/policies/:cid': both('policy.write', ({ content }) => ({ method: 'PUT', target: `/api/v1/policies/${content.cid}`, body: json({ level: 'private' }) })),

  'DELETE /api/v1/policies/:cid': both('policy.write', async (things) => ({ method: 'DELETE', target: `/api/v1/policies/${things.content.cid}` })),
  'GET /api/v1/policies/:cid/history': both('policy.read', ({ content }, name) => ({ target: `/api/v1/policies/${content.cid}/history?owner=${name}` })),
  'POST /api/v1/policies/:cid/revert': both('policy.write', ({ content }) => ({ method: 'POST', target: `/api/v1/policies/${content.cid}/revert`, body: json({ version: 0 }) })),
  'POST /api/v1/policies/bulk': both('policy.write', ({ content }) => ({ method: 'POST', target: '/api/v1/policies/bulk', body: json({ cids: [content.cid], policy: { level: 'private' } }) })),

  'POST /api/v1/access/explain': [
    one('policy.read', 'owner', (world, caller) => ({
      method: 'POST', target: '/api/v1/access/explain', body: json({ principal: otherName, action: 'content.read', object: mine(world, caller).content.cid }),
    })),
    one('role.read', 'foreigner', (world) => ({ method: 'POST', target: '/api/v1/access/explain', body: json({ principal: otherName, action: 'content.read', object: world.other.content.cid }) })),
  ],
  'GET /api/v1/access/actions': get('role.read', `/api/v1/access/actions?principal=${otherName}`),
  'GET /api/v1/access/address': get('config.read', '/api/v1/access/address'),
  'GET /api/v1/roles': get('role.read', '/api/v1/roles'),
  'GET /api/v1/policies/:cid/readers': both('policy.read', ({ content }, name) => ({ target: `/api/v1/policies/${content.cid}/readers?owner=${name}` })),

  'POST /api/v1/grants': [
    ...both('grant.create', ({ content }) => ({ method: 'POST', target: '/api/v1/grants', body: json({ cid: content.cid }) })),
    ...both('grant.create', ({ content }) => ({ method: 'POST', target: '/api/v1/grants', body: json({ library_id: content.library }) })),
  ],
  'POST /api/v1/grants/narrow': [one('grant.narrow', 'foreigner', (world) => ({
    method: 'POST', target: '/api/v1/grants/narrow', body: json({ grant: new URL(world.link, world.weir.url).searchParams.get('grant'), expires_in: 60 }),
  }))],
  'DELETE /api/v1/grants': both('grant.revoke', ({ content }, name) => ({ method: 'DELETE', target: `/api/v1/grants?cid=${content.cid}&owner=${name}` })),
  'GET /api/v1/grants': both('grant.list', (_, name) => ({ target: `/api/v1/grants?owner=${name}` })),
  'DELETE /api/v1/grants/:id': both('grant.revoke', async (things) => ({ method: 'DELETE', target: `/api/v1/grants/${await things.grant()}` })),

  'GET /api/v1/library': get('library.read', '/api/v1/library'),
  'GET /api/v1/library/:id': both('library.read', ({ content }) => ({ target: `/api/v1/library/${content.library}` })),
  'PATCH /api/v1/library/:id': both('library.write', ({ content }) => ({ method: 'PATCH', target: `/api/v1/library/${content.library}`, body: json({ title: 'renamed' }) })),

  'GET /api/v1/recipes': get('recipe.list', '/api/v1/recipes'),
  'POST /api/v1/jobs': both('job.submit', ({ content }) => ({ method: 'POST', target: '/api/v1/jobs', body: json({ recipe: 'probe', inputs: [{ cid: content.cid }] }) })),
  'GET /api/v1/jobs': both('job.read', (_, name) => ({ target: `/api/v1/jobs?owner=${name}` })),
  'GET /api/v1/jobs/events': both('job.read', (_, name) => ({ target: `/api/v1/jobs/events?owner=${name}`, endless: true })),
  'GET /api/v1/jobs/:id': [...ofJob('job.read', 'GET', '', true), one('job.read', 'leased', (world) => ({ target: `/api/v1/jobs/${world.held.assignment.job_id}` }), ['worker'])],
  'POST /api/v1/jobs/:id/cancel': ofJob('job.cancel', 'POST', '/cancel', false),
  'POST /api/v1/jobs/:id/retry': ofJob('job.retry', 'POST', '/retry', true),
  'GET /api/v1/jobs/:id/logs': [...ofJob('job.read', 'GET', '/logs', true), one('job.read', 'leased', (world) => ({ target: `/api/v1/jobs/${world.held.assignment.job_id}/logs` }), ['worker'])],
  'GET /api/v1/jobs/:id/events': ofJob('job.read', 'GET', '/events', true),
  'GET /api/v1/jobs/:id/inputs/:index': jobPart('job.lease', 'GET', 'inputs/0', (world) => world.held.assignment.inputs[0]?.token ?? ''),
  'PUT /api/v1/jobs/:id/outputs/:name': jobPart('job.report', 'PUT', 'outputs/video.mp4', (world) => world.held.assignment.outputs[0]?.token ?? '', 'film'),

  'GET /api/v1/workers': get('worker.list', '/api/v1/workers'),
  'POST /api/v1/workers/invites': [one('worker.manage', 'owner', () => ({ method: 'POST', target: '/api/v1/workers/invites' }))],
  'POST /api/v1/workers/join': [one('worker.join', 'owner', async (world) => ({
    method: 'POST', target: '/api/v1/workers/join', body: json({ token: await world.invitation(), name: world.newName(), public_key: newKey() }),
  }))],
  'PATCH /api/v1/workers/:name': [one('worker.manage', 'owner', (world) => ({ method: 'PATCH', target: `/api/v1/workers/${world.caller('worker').name}`, body: json({ draining: false }) }))],

  'GET /api/v1/audit': get('audit.read', '/api/v1/audit'),
  'GET /api/v1/audit/export': get('audit.read', '/api/v1/audit/export'),
  'POST /api/v1/audit/verify': [one('audit.read', 'owner', () => ({ method: 'POST', target: '/api/v1/audit/verify' }))],

  // Doors that are no declared routes.
  'the worker’s socket': [one('worker.connect', 'owner', async () => ({ target: '/api/v1/workers/connect', upgrade: true }))],
  'the web page': [...get('page.read', '/'), ...get('page.read', '/library')],

  // Last: nothing of the callers works after these.
  'POST /auth/sessions/end-others': [one('login_session.end', 'owner', () => ({ method: 'POST', target: '/auth/sessions/end-others' }))],
  'POST /auth/logout-everywhere': [one('login_session.end', 'owner', () => ({ method: 'POST', target: '/auth/logout-everywhere' }))],
};
