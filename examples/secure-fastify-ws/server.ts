/** A Fastify and ws application that @weir/security secures: content by policy, a socket that answers, nothing without a token. */
import { streamingSecurity } from '@weir/security/fastify';
import { StreamingSecurityManager } from '@weir/security/streaming-security-manager';
import { guardWebSockets } from '@weir/security/ws';
import Fastify from 'fastify';
import { WebSocketServer } from 'ws';

const film = 'bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4';
const security = new StreamingSecurityManager({
  secretKey: process.env['STREAMING_SECRET'], ownOrigins: ['http://app.test'], rateLimits: { signaling: { limit: 5, period: 60 }, messages: { limit: 3, period: 60 } },
});
await security.setContentPolicy(film, { level: 'private', allowedUsers: ['ann'] });

const app = Fastify();
await app.register(streamingSecurity, { security });
app.get('/health', { config: { streamingSecurity: { open: true } } }, async () => 'well');
app.get('/me', async (request) => request.streaming?.claims?.userId);
app.get<{ Params: { cid: string } }>('/media/:cid', { config: { streamingSecurity: { content: (request) => (request.params as { cid: string }).cid } } }, async () => 'hello world\n');
app.delete('/tokens', async (request) => security.revokeAllUserTokens(request.streaming?.claims?.userId ?? ''));
guardWebSockets(app.server, new WebSocketServer({ noServer: true, maxPayload: 65_536 }), security, { path: '/live', limit: 'messages', onMessage: (socket, data) => socket.send(data) });
console.log(await app.listen({ port: Number(process.env['PORT'] ?? 3000) }));

// Your sign-in makes tokens; here the one who started this does.
if (process.send !== undefined) process.on('message', (order: Parameters<typeof security.createToken>[0]) => void security.createToken(order).then((token) => process.send?.(token)));
