import { WeirError } from '@weir/contracts/errors';
import { expect, test } from 'vitest';
import * as auth from '../src/auth.ts';
import { address, createClient, path } from '../src/client.ts';
import * as library from '../src/library.ts';
import * as policies from '../src/policies.ts';
import { RemoteError, toRemoteError } from '../src/remote-error.ts';
import { json, serve } from './local-server.ts';

test('a request carries the token, the path and the query, and its reply is typed', async () => {
  await using server = await serve((request, response) => {
    expect(request.headers.authorization).toBe('Bearer a-token');
    expect(request.url).toBe('/api/v1/library?limit=3');
    json(response, 200, { items: [], next_cursor: null });
  });
  expect(await library.list(server.client, { limit: 3 })).toEqual({ items: [], next_cursor: null });
});

test('the text of a path parameter cannot leave its place', () => {
  const client = createClient({ baseUrl: 'https://weir.example/ignored' });
  expect(address(client, path`/api/v1/jobs/${'../../auth?x#y'}`).href).toBe('https://weir.example/api/v1/jobs/..%2F..%2Fauth%3Fx%23y');
});

test('an error of the server arrives with its code, status, request id and facts', async () => {
  await using server = await serve((_, response) => json(response, 403, {
    error: { code: 'permission.refused', message: 'Your role does not allow this.', request_id: 'r1', permission: 'submit_jobs', nested: { no: 1 } },
  }));
  const error = await library.get(server.client, 'x').catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(RemoteError);
  expect(error).toMatchObject({ code: 'permission.refused', status: 403, requestId: 'r1', facts: { permission: 'submit_jobs' }, exitCode: 3 });
});

test('a page of a proxy instead of a reply becomes a sentence, not a crash', async () => {
  expect(toRemoteError(502, '<html>Bad gateway</html>')).toMatchObject({ code: 'server.unreachable', status: 502 });
  await using server = await serve((_, response) => { response.end('<html>hello</html>'); });
  await expect(library.list(server.client)).rejects.toThrow(/does not understand/);
});

test('a reply that is not of the promised shape is refused', async () => {
  await using server = await serve((_, response) => json(response, 200, { items: [{ library_id: 5 }], next_cursor: null }));
  await expect(library.list(server.client)).rejects.toBeInstanceOf(WeirError);
});

test('a server that is not there says so', async () => {
  const error = await library.list(createClient({ baseUrl: 'http://127.0.0.1:9' })).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: 'server.unreachable', exitCode: 5 });
});

test('a server that never answers is given up after the deadline', async () => {
  await using server = await serve(() => undefined);
  const hasty = createClient({ baseUrl: server.baseUrl, timeoutMs: 50 });
  await expect(library.list(hasty)).rejects.toMatchObject({ code: 'server.unreachable' });
});

test('a redirect is not followed, so a token never reaches another place', async () => {
  let requests = 0;
  await using server = await serve((_, response) => {
    requests += 1;
    response.writeHead(302, { location: '/elsewhere' }).end();
  });
  await expect(auth.permissions(server.client)).rejects.toMatchObject({ code: 'server.unreachable' });
  expect(requests).toBe(1);
});

test('no policy is null, and any other refusal stays an error', async () => {
  let status = 404;
  await using server = await serve((_, response) => json(response, status, { error: { code: 'object.absent', message: 'Nothing.', request_id: 'r' } }));
  expect(await policies.get(server.client, 'bafk')).toBeNull();
  status = 403;
  await expect(policies.get(server.client, 'bafk')).rejects.toMatchObject({ status: 403 });
});
