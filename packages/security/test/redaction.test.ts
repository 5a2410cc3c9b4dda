import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { Redactor } from '../src/redaction.ts';
import { Secret } from '../src/secret.ts';
import { mutations } from './mutations.ts';
import { runs } from './runs.ts';

test('a registered value is masked in every usual form', () => {
  const secret = 'p@ss "word"/ü+1 ok';
  const redactor = new Redactor();
  expect(redactor.register(secret)).toBe(true);
  const bytes = Buffer.from(secret);
  const forms = [secret, JSON.stringify(secret), encodeURIComponent(secret), new URLSearchParams({ p: secret }).toString(), bytes.toString('hex'), bytes.toString('hex').toUpperCase(),
    bytes.toString('base64'), bytes.toString('base64url'), Buffer.from(`user:${secret}`).toString('base64'), Buffer.from(`me:${secret}!`).toString('base64url'), Buffer.from(`x:${secret}`).toString('base64')];
  for (const form of forms) {
    const line = redactor.values(`before ${form} after`);
    expect(line, form).toContain('[redacted]');
    expect(line).toMatch(/^before .* after$/);
    expect(line).not.toMatch(/word|cGFzc|776f7264/i);
  }
  redactor.forget(secret);
  expect(redactor.values(secret)).toBe(secret);
});

test('a value is masked inside longer JSON and in URLs of small letters, also when it is no text, and the padding around it stays', () => {
  const redactor = new Redactor();
  const [text, bytes] = ['a "quoted" säcret/+?', Buffer.of(0xff, 0x01, 0x0a, 0xfe, 0x2f, 0x80, 0x7e, 0x00, 0xd8, 0x09, 0xc3, 0x28, 0x41, 0x42, 0x43, 0x44)];
  for (const one of [text, bytes]) redactor.register(one);
  const escaped = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  for (const form of [JSON.stringify(`see ${text} there`), `u=${encodeURIComponent(text).replaceAll(/%../g, (one) => one.toLowerCase())}&`, `u=${escaped}&`, `u=${escaped.toUpperCase()}&`]) {
    expect(redactor.values(form), form).toMatch(/^(?:"see \[redacted\] there"|u=\[redacted\]&)$/);
  }
  expect(redactor.values(`k ${bytes.toString('base64')} ${bytes.toString('base64url')}`)).toBe('k [redacted]== [redacted]');
});

test('six bytes are the shortest value, and a text is cut behind 16 Ki characters, with how much is missing', () => {
  const redactor = new Redactor();
  expect([redactor.register('12345'), redactor.register('äöü'), redactor.register('123456')]).toEqual([false, true, true]);
  expect(redactor.values('12345 123456 äöü')).toBe('12345 [redacted] [redacted]');
  expect(redactor.text('x'.repeat(16_384))).toBe('x'.repeat(16_384));
  expect(redactor.text('x'.repeat(16_394))).toBe(`${'x'.repeat(16_384)}… (10 more)`);
});

test('an object is copied eight levels deep and up to a thousand values, and a plain one gets no member', () => {
  const redactor = new Redactor();
  const chain = (depth: number): object => (depth === 0 ? { end: 1 } : { a: chain(depth - 1) });
  expect(redactor.object({ a: chain(7) })).toStrictEqual({ a: chain(7) });
  expect(JSON.stringify(redactor.object({ a: chain(20) }))).toBe(`${'{"a":'.repeat(10)}"[cut]"${'}'.repeat(10)}`);
  const numbers = Array.from({ length: 1_500 }, (_, at) => at);
  expect(redactor.object({ numbers })).toEqual({ numbers: numbers.slice(0, 999) });
  expect(Object.values(redactor.object(Object.fromEntries(numbers.map((at) => [`n${at}`, at]))))).toEqual([...numbers.slice(0, 1_000), ...numbers.slice(1_000).map(() => '[cut]')]);
  expect(redactor.object({ numbers, after: 1 })['after']).toBe('[cut]');
});

test('random secrets never survive in any encoding, wherever they stand', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 12, maxLength: 40 }), fc.uint8Array({ maxLength: 4 }), fc.uint8Array({ maxLength: 4 }), (secret, before, after) => {
    const redactor = new Redactor();
    redactor.register(secret);
    const whole = Buffer.concat([before, secret, after]);
    for (const encoding of ['base64', 'base64url', 'hex'] as const) {
      const left = redactor.values(whole.toString(encoding)).replace('[redacted]', '');
      expect(left.length, encoding).toBeLessThanOrEqual(Buffer.concat([before, after]).length * 2 + 6);
    }
  }), { numRuns: runs(300) });
});

test('secrets, raw bytes and short or surplus values', () => {
  const redactor = new Redactor();
  const key = randomBytes(32);
  expect(redactor.register(new Secret(key))).toBe(true);
  expect(redactor.values(`key=${key.toString('base64')}`)).toBe('key=[redacted]=');
  expect(redactor.register('short')).toBe(false);
  for (let at = 0; at < 999; at += 1) redactor.register(`secret-number-${at}`);
  expect(redactor.register('one-too-many')).toBe(false);
  expect(redactor.register(key)).toBe(true);
  expect(redactor.values('secret-number-123 secret-number-12')).toBe('[redacted] [redacted]');
});

test('queries, fragments and names in URLs are cut, ordinary sentences are not', () => {
  const redactor = new Redactor();
  const cases = {
    'GET https://host/a?token=abc#x HTTP/1.1': 'GET https://host/a?[redacted] HTTP/1.1',
    'open http://one.localhost:4545/#secret now': 'open http://one.localhost:4545/#[redacted] now',
    'https://user:pa@ss@host/path': 'https://host/path',
    'https://host/@scope/name': 'https://host/@scope/name',
    'GET /stream?ticket=abc': 'GET /stream?[redacted]',
    '"url":"/a?b=c","x":1': '"url":"/a?[redacted]","x":1',
    'really? what?! issue #12, me@example.com': 'really? what?! issue #12, me@example.com',
    'https://host?x,https://other?y': 'https://host?[redacted]',
    'https://user:pass@host': 'https://host', 'https://user:pass@host#here': 'https://host#[redacted]', 'https://host?mail=a@b': 'https://host?[redacted]',
    'GET /stream?ticketvalue': 'GET /stream?[redacted]', 'set path?key=abc': 'set path?[redacted]', 'a=b is no URL': 'a=b is no URL',
  };
  for (const [text, expected] of Object.entries(cases)) expect(redactor.text(text)).toBe(expected);
});

test('headers that carry proofs, bearer tokens and JWTs are masked in text', () => {
  const redactor = new Redactor();
  const jwt = 'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2ln';
  const text = redactor.text(`Authorization: Basic dXNlcjpw\r\nCookie: a=b; c=d\nx-dffmpeg-signature: YkO4\nAccept: */*\nsaid bearer abc.def and ${jwt} and "signature": "xyz"`);
  expect(text).not.toMatch(/dXNlcjpw|a=b|YkO4|abc\.def|eyJ|xyz/);
  expect(text).toContain('Accept: */*');
  expect(text).toContain('Authorization: [redacted]\r\nCookie: [redacted]\nx-dffmpeg-signature: [redacted]\n');
  expect(redactor.text('it said Bearer abc.def to all')).toBe('it said Bearer [redacted] to all');
});

test('objects are copied with headers masked, errors opened, and nothing changed in the original', () => {
  const redactor = new Redactor();
  redactor.register('hunter2hunter2');
  const cause = new Error('cause with hunter2hunter2');
  const original = {
    req: { method: 'GET', url: '/a?b=c', headers: { Authorization: 'Bearer x', COOKIE: ['a=b'], 'Set-Cookie': 'x', signature: 'y', 'X-DFFmpeg-Signature': 'z', accept: '*/*' } },
    err: Object.assign(new Error('failed with hunter2hunter2', { cause }), { code: 'E', url: new URL('https://u:p@h/?q=1') }),
    list: [1, null, undefined, true, 'hunter2hunter2', 10n, () => 1, Symbol('s'), new Date(0), new Date(Number.NaN)],
    secret: new Secret(Buffer.from('hunter2hunter2')), bytes: Buffer.from('hunter2hunter2'), map: new Map([['k', 'hunter2hunter2']]), set: new Set(['hunter2hunter2']),
    'hunter2hunter2': 1,
  };
  const before = inspect(original, { depth: 9 });
  const copy = redactor.object(original);
  expect(inspect(original, { depth: 9 })).toBe(before);
  expect(JSON.stringify(copy)).not.toMatch(/hunter2|Bearer|a=b|q=1|u:p/);
  expect(copy).toMatchObject({
    req: { method: 'GET', url: '/a?[redacted]', headers: { Authorization: '[redacted]', accept: '*/*' } },
    err: { type: 'Error', message: 'failed with [redacted]', code: 'E', url: 'https://h/?[redacted]', cause: { message: 'cause with [redacted]' } },
    list: [1, null, undefined, true, '[redacted]', '10', '[function]', 'Symbol(s)', '1970-01-01T00:00:00.000Z', 'Invalid Date'],
    secret: '[redacted]', bytes: '[14 bytes]', map: [['k', '[redacted]']], set: ['[redacted]'], '[redacted]': 1,
  });
});

test('a finished line of pino is redacted whatever serializers and child loggers put into it', () => {
  const redactor = new Redactor();
  redactor.register('hunter2hunter2');
  const lines: string[] = [];
  const logger = pino({
    hooks: { streamWrite: (line) => redactor.line(line) },
    serializers: { req: ({ url }: { url: string }) => ({ url, headers: { cookie: 'a=b' } }) },
  }, { write: (line) => { lines.push(line); } });
  logger.child({ bound: 'hunter2hunter2' }).info({ req: { url: '/x?token=t' }, err: new Error('hunter2hunter2') }, 'said hunter2hunter2 to https://h/?q=1');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^\{.*\}\n$/);
  expect(lines[0]).not.toMatch(/hunter2|a=b|token=t|q=1/);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 30, bound: '[redacted]', req: { url: '/x?[redacted]', headers: { cookie: '[redacted]' } }, msg: 'said [redacted] to https://h/?[redacted]' });
  for (const [line, clean] of [['no json hunter2hunter2', 'no json [redacted]'], ['["hunter2hunter2"]', '["[redacted]"]'], ['null', 'null'], ['"/a?b=c"', '"/a?[redacted]"']] as const) expect(redactor.line(line)).toBe(clean);
});

test('circles, depth, width and length have an end', () => {
  const redactor = new Redactor();
  const circle: Record<string, unknown> = { name: 'circle' };
  circle['self'] = circle;
  circle['wide'] = Array.from({ length: 50_000 }, () => ({ a: [circle, circle] }));
  const printed = JSON.stringify(redactor.object(circle));
  expect(printed.length).toBeLessThan(100_000);
  expect(printed).toContain('[cut]');
  redactor.register('straddling-secret');
  const long = redactor.text(`${'x'.repeat(16_380)}straddling-secret${'y'.repeat(99)}`);
  expect(long.length).toBeLessThan(16_500);
  expect(long).not.toContain('stra');
});

test('hostile text is redacted in time and without an error', () => {
  const redactor = new Redactor();
  redactor.register('hunter2hunter2');
  const begun = performance.now();
  for (const piece of ['://', 'eyJ-', 'a://', '?', 'signature:', 'bearer ', '@', '://a@', '?a=', 'aaaa', 'hunter2']) redactor.text(piece.repeat(6_000));
  expect(performance.now() - begun).toBeLessThan(5_000);
  for (const text of mutations(['https://u:p@h/p?q=hunter2hunter2#f', 'authorization: Bearer hunter2hunter2'], runs(2_000))) {
    expect(redactor.text(text)).not.toContain('hunter2hunter2');
  }
});
