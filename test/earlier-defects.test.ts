/** Defects of earlier systems that no other test is about, and guards over what Weir does not have yet (docs/security/defects.md). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { allRoutes } from '../packages/server/src/http-server.ts';
import { actions } from '../packages/security/src/actions.ts';
import { findDefectTests } from '../scripts/defects.ts';
import { startWeir, type TestWeir } from './support/weir.ts';

let weir: TestWeir;
beforeAll(async () => { weir = await startWeir(); });
afterAll(() => weir[Symbol.asyncDispose]());

test('every listed defect has a test with its id in the name', async () => {
  const { missing, unknown } = await findDefectTests();
  expect({ missing, unknown }).toEqual({ missing: [], unknown: [] });
});

/** No route, no action and no socket whose name says this: who adds one writes the real test and takes the guard away. */
function expectNoWayTo(words: RegExp): void {
  const names = [...allRoutes.map(({ declaration }) => `${declaration.method} ${declaration.path}`), ...Object.keys(actions)];
  expect(names.length).toBeGreaterThan(30);
  expect(names.filter((name) => words.test(name))).toEqual([]);
}

test('no pipeline runs, so none reads a file past the allowed paths (streamkit §2.10 #1)', () => { expectNoWayTo(/process|oneshot|\bpipelines?\b|\bsession\.(?!list|end)/); });
test('no scripts run, so none can hold the server (streamkit §2.10 #3)', () => { expectNoWayTo(/script/); });
test('no plugins are taken in (streamkit §2.10 #9)', () => { expectNoWayTo(/plugin/); });
test('no media gateway listens beside the gatekeeper (streamkit §2.10 #10)', async () => {
  expectNoWayTo(/moq|webtransport|gateway|whip|rtmp/);
  expect((await weir.anonymous.fetch('/api/v1/moq/fingerprints')).status).toBe(404);
});

test('health says nothing of the inside, whatever is asked of it (dffmpeg §2 #12)', async () => {
  for (const query of ['', '?deep', '?deep=1', '?verbose=true']) {
    const reply = await weir.anonymous.fetch(`/healthz${query}`);
    const text = await reply.text();
    expect(text).not.toContain(weir.dataPath);
    expect(text).not.toMatch(/sqlite|postgres|error|select |stack|node/i);
  }
});

test('a message that did not happen never reports success (streamkit §2.10 #12)', async () => {
  const alice = await weir.principal('alice', 'user');
  const cid = await alice.upload(Buffer.from('bytes'));
  const { grant_id: grant } = await alice.json<{ grant_id: string }>('POST', '/api/v1/grants', { cid });
  expect((await alice.send('DELETE', `/api/v1/grants/${grant}`)).status).toBe(204);
  await alice.json('DELETE', `/api/v1/content/${cid}`);
  const attempts: readonly (readonly [method: string, path: string, body?: unknown])[] = [
    ['DELETE', `/api/v1/content/${cid}`], ['PUT', `/api/v1/policies/${cid}`, { level: 'public' }], ['POST', '/api/v1/grants', { cid }],
    ['DELETE', '/api/v1/grants/01ARZ3NDEKTSV4RRFFQ69G5FAV'], ['POST', '/api/v1/jobs', { recipe: 'probe', inputs: [{ cid }] }],
    ['POST', '/api/v1/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV/cancel'],
  ];
  for (const [method, path, body] of attempts) expect((await alice.send(method, path, body)).status, `${method} ${path}`).toBeGreaterThanOrEqual(400);
});
