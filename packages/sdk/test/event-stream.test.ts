import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createEventStreamParser, type EventStreamMessage } from '../src/event-stream-parser.ts';
import { subscribe } from '../src/event-stream.ts';
import * as jobs from '../src/jobs.ts';
import { json, serve } from './local-server.ts';

const runs = (n: number): number => Math.max(1, Math.round(n * Number(process.env['WEIR_TEST_SCALE'] ?? 1)));

function parse(pieces: readonly string[]): readonly EventStreamMessage[] {
  const parser = createEventStreamParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

test('the examples of the HTML standard', () => {
  expect(parse(['data: YHOO\ndata: +2\ndata: 10\n\n'])).toEqual([{ event: 'message', data: 'YHOO\n+2\n10', id: '' }]);
  expect(parse([': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n'])).toEqual([
    { event: 'message', data: 'first event', id: '1' }, { event: 'message', data: 'second event', id: '' }, { event: 'message', data: ' third event', id: '' },
  ]);
  expect(parse(['data\n\ndata\ndata\n\ndata:'])).toEqual([{ event: 'message', data: '', id: '' }, { event: 'message', data: '\n', id: '' }]);
  expect(parse(['\uFEFFevent: add\rdata: 7\r\n\r'])).toEqual([{ event: 'add', data: '7', id: '' }]);
});

const anyLine = fc.oneof(
  fc.constantFrom('', 'data: x', 'data', 'event: job', 'id: 7', 'id: a\0b', 'retry: 10', 'retry: x', ': comment', 'unknown: y'),
  fc.string({ maxLength: 12 }).filter((text) => !/[\r\n]/.test(text)),
);
const anyStream = fc.array(fc.tuple(anyLine, fc.constantFrom('\n', '\r', '\r\n')), { maxLength: 40 }).map((lines) => lines.flat().join(''));

test('where the network cuts the stream changes nothing', () => {
  fc.assert(fc.property(anyStream, fc.array(fc.nat(200), { maxLength: 20 }), (stream, cuts) => {
    const places = [0, ...cuts.filter((cut) => cut < stream.length).sort((a, b) => a - b), stream.length];
    const pieces = places.slice(1).map((end, index) => stream.slice(places[index], end));
    expect(parse(pieces)).toEqual(parse([stream]));
  }), { numRuns: runs(2_000) });
});

test('any text is survived', () => {
  fc.assert(fc.property(fc.string({ maxLength: 400, unit: 'binary' }), (text) => { parse([text, '\n\n']); }), { numRuns: runs(400) });
});

test('an endless line and an endless message are refused', () => {
  const mebibyte = 'x'.repeat(1024 * 1024 + 1);
  expect(() => parse([mebibyte])).toThrow(/mebibyte/);
  expect(() => parse(Array.from({ length: 20 }, () => `data: ${mebibyte.slice(0, 100_000)}\n`))).toThrow(/mebibyte/);
});

test('after a lost connection it resumes from the last id', async () => {
  const asked: (string | undefined)[] = [];
  await using server = await serve((request, response) => {
    asked.push(request.headers['last-event-id']?.toString());
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`retry: 1\nid: ${asked.length}\ndata: ${asked.length}\n\ndata: never finished`, () => response.destroy());
  });
  const data: string[] = [];
  for await (const message of subscribe(server.client, '/events')) {
    data.push(message.data);
    if (data.length === 3) break;
  }
  expect(data).toEqual(['1', '2', '3']);
  expect(asked).toEqual([undefined, '1', '2']);
});

test('a refusal ends the subscription with its reason; a signal ends it in silence', async () => {
  await using refusing = await serve((_, response) => json(response, 401, { error: { code: 'identity.required', message: 'Sign in.', request_id: 'r' } }));
  await expect(subscribe(refusing.client, '/events').next()).rejects.toMatchObject({ code: 'identity.required' });

  await using quiet = await serve((_, response) => { response.writeHead(200).write(':\n\n'); });
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 50);
  expect(await subscribe(quiet.client, '/events', { signal: abort.signal }).next()).toMatchObject({ done: true });
});

const job = (state: string) => ({
  job_id: '01JD8Z0000000000000000000A', state, recipe: 'mp4-h264', owner: 'alice', priority: 50, labels: {}, attempt: 1, max_attempts: 3, worker: null,
  progress: { percent: 50, eta_seconds: 3, fps: 30, speed: 2, out_time_us: 1 }, inputs: [{ cid: 'bafk' }], outputs: [], error: null,
  created_at: '2026-11-22T10:00:00.000Z', started_at: null, finished_at: null,
});

test('the events of a job end when the job does', async () => {
  await using server = await serve((_, response) => {
    response.writeHead(200);
    const send = (event: { type: string } & Record<string, unknown>) => response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    send({ type: 'state', job: job('running') });
    send({ type: 'progress', progress: job('running').progress });
    send({ type: 'state', job: job('completed') });
  });
  const types: string[] = [];
  for await (const event of jobs.events(server.client, 'any')) types.push(event.type);
  expect(types).toEqual(['state', 'progress', 'state']);
  expect(await jobs.ended(server.client, 'any')).toMatchObject({ state: 'completed' });
});
