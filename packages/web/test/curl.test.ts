import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { curlCommand, quote } from '../src/curl.ts';

const origin = 'http://127.0.0.1:4545';

test('a change is one command with its method, token, type and body', () => {
  expect(curlCommand(origin, { method: 'PUT', path: '/api/v1/policies/bafk', json: { level: 'public' } })).toBe([
    'curl -X PUT http://127.0.0.1:4545/api/v1/policies/bafk', '-H "Authorization: Bearer $WEIR_TOKEN"', "-H 'Content-Type: application/json'", `-d '{"level":"public"}'`,
  ].join(' \\\n  '));
});

test('an upload streams the file, a live stream is not buffered, a download is stored', () => {
  expect(curlCommand(origin, { method: 'POST', path: '/api/v1/content', query: { filename: 'a b.mp4' }, file: { name: 'a b.mp4', contentType: 'video/mp4' } }))
    .toContain("-X POST 'http://127.0.0.1:4545/api/v1/content?filename=a+b.mp4'");
  expect(curlCommand(origin, { path: '/api/v1/jobs/events', stream: true })).toMatch(/^curl -N http/);
  expect(curlCommand(origin, { path: '/x', output: "it's" })).toMatch(/-o 'it'\\''s'$/);
});

test('whatever a title holds, a shell sees one word', () => {
  fc.assert(fc.property(fc.string({ minLength: 1, maxLength: 40 }).filter((text) => !text.includes('\0')), (text) => {
    expect(execFileSync('sh', ['-c', `printf %s ${quote(text)}`], { encoding: 'utf8' })).toBe(text);
  }), { numRuns: 40 });
});
