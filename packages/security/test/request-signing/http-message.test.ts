import { createHash, createHmac, createPrivateKey, createPublicKey, createSecretKey, randomBytes, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { contentDigest, parseContentDigest } from '../../src/request-signing/content-digest.ts';
import {
  newNonce, readRequestSignature, readResponseSignature, signRequest, signResponse, verifySignature,
  type MessageHeaders, type MessageKey, type RequestMessage, type ResponseMessage,
} from '../../src/request-signing/http-message.ts';
import { parseSignature, parseSignatureInput, printSignature, printSignatureParams, signatureBase } from '../../src/request-signing/signature-fields.ts';
import { newTokenKey } from '../../src/token-keys.ts';
import { mutations } from '../mutations.ts';
import { runs } from '../runs.ts';

const sha256 = (body: string): Buffer => createHash('sha256').update(body).digest();

/** The test request of RFC 9421 appendix B.2. */
const published: Record<string, string> = {
  '"date"': 'Tue, 20 Apr 2021 02:07:55 GMT', '"@method"': 'POST', '"@path"': '/foo', '"@authority"': 'example.com', '"content-type"': 'application/json', '"content-length"': '18',
};
const publishedBase = (field: string, label: string): string => {
  const input = parseSignatureInput(field, label);
  const base = input && signatureBase(input, (component) => published[component]);
  if (base === undefined) throw new Error('the published field does not parse');
  return base;
};

test('RFC 9421 B.2.6: base and Ed25519 signature are those published', () => {
  const base = publishedBase('sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"', 'sig-b26');
  expect(base).toBe(['"date": Tue, 20 Apr 2021 02:07:55 GMT', '"@method": POST', '"@path": /foo', '"@authority": example.com', '"content-type": application/json', '"content-length": 18',
    '"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"'].join('\n'));
  const privateKey = createPrivateKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', d: 'n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU', x: 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs' } });
  const field = 'sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:';
  expect(printSignature(sign(null, Buffer.from(base), privateKey), 'sig-b26')).toBe(field);
  expect(verify(null, Buffer.from(base), createPublicKey(privateKey), parseSignature(field, 'sig-b26') ?? Buffer.alloc(0))).toBe(true);
});

test('RFC 9421 B.2.5: base and HMAC are those published', () => {
  const base = publishedBase('sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"', 'sig-b25');
  const secret = Buffer.from('uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==', 'base64');
  expect(printSignature(createHmac('sha256', secret).update(base).digest(), 'sig-b25')).toBe('sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:');
});

test('RFC 9530: the digest of the published body', () => {
  expect(contentDigest(sha256('{"hello": "world"}\n'))).toBe('sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:');
  expect(parseContentDigest(contentDigest(sha256('x')))).toEqual(sha256('x'));
  for (const bad of ['', 'sha-512=:AAAA:', 'sha-256=::', `sha-256=:${'A'.repeat(43)}:`, `sha-256=:${'A'.repeat(42)}B=:`, `${contentDigest(sha256('x'))}, sha-512=:AA==:`, ` ${contentDigest(sha256('x'))}`]) {
    expect(parseContentDigest(bad), bad).toBeUndefined();
  }
});

const now = 1_800_000_000;
const instance = '01J9INSTANCE';
const pair = newTokenKey('w1');
if (pair.algorithm !== 'EdDSA' || pair.private === undefined) throw new Error('an Ed25519 key is needed');
const edKey: MessageKey = { id: 'w1', algorithm: 'ed25519', public: pair.public, private: pair.private };
const macKey: MessageKey = { id: 'w1', algorithm: 'hmac-sha256', secret: createSecretKey(randomBytes(32)) };
const stamp = { instance, createdSeconds: now, nonce: newNonce() };
const request: RequestMessage = {
  method: 'POST', target: '/api/v1/jobs?wait=5',
  headers: { 'content-type': 'application/json', 'content-length': '2', 'content-digest': contentDigest(sha256('{}')), 'idempotency-key': 'k-1', range: 'bytes=0-1', accept: '*/*' },
};
const withHeaders = (message: RequestMessage, headers: MessageHeaders): RequestMessage => ({ ...message, headers: { ...message.headers, ...headers } });
const accepts = (message: RequestMessage, key: MessageKey | undefined = edKey, at = now): boolean => {
  const read = readRequestSignature(message, instance);
  return read !== undefined && verifySignature(read, key, at);
};

test('a signed request verifies and names its key, nonce and body digest', () => {
  for (const key of [edKey, macKey]) {
    const signed = withHeaders(request, signRequest(request, key, stamp));
    const read = readRequestSignature(signed, instance);
    expect(read).toMatchObject({ keyId: 'w1', createdSeconds: now, nonce: stamp.nonce, contentDigest: sha256('{}') });
    expect(accepts(signed, key)).toBe(true);
    expect(accepts(signed, key, now + 30) && accepts(signed, key, now - 30)).toBe(true);
    expect(accepts(signed, key, now + 31) || accepts(signed, key, now - 31)).toBe(false);
    expect(read !== undefined && verifySignature(read, undefined, now)).toBe(false);
    expect(accepts(signed, { ...key, id: 'w2' })).toBe(false);
    expect(accepts(signed, key === edKey ? macKey : edKey)).toBe(false);
  }
  const plain: RequestMessage = { method: 'GET', target: '/', headers: {} };
  const headers = signRequest(plain, edKey, stamp);
  expect(headers['signature-input']).toBe(`weir=("@method" "@path" "@query");created=${now};nonce="${stamp.nonce}";keyid="w1";tag="weir-req:${instance}"`);
  expect(readRequestSignature(withHeaders(plain, headers), instance)?.contentDigest).toBeUndefined();
  expect(accepts(withHeaders(plain, headers))).toBe(true);
});

test('any change of a covered part fails', () => {
  const signed = withHeaders(request, signRequest(request, edKey, stamp));
  const changes: RequestMessage[] = [
    { ...signed, method: 'PUT' }, { ...signed, method: 'post' }, { ...signed, target: '/api/v1/job?wait=5' }, { ...signed, target: '/api/v1/jobs?wait=6' }, { ...signed, target: '/api/v1/jobs' }, { ...signed, target: '/api/v1/%6Aobs?wait=5' },
    ...['content-type', 'content-digest', 'range', 'idempotency-key'].flatMap((name) => [withHeaders(signed, { [name]: 'other' }), withHeaders(signed, { [name]: undefined }), withHeaders(signed, { [name]: ['a', 'b'] })]),
    withHeaders(signed, { 'content-digest': contentDigest(sha256('{"a":1}')) }),
  ];
  changes.forEach((changed, index) => { expect(accepts(changed), `change ${index}`).toBe(false); });
  expect(readRequestSignature(signed, '01J9OTHER')).toBeUndefined();
});

/** No query and an empty one are the same component. */
const withQuery = (target: string): string => (target.includes('?') ? target : `${target}?`);

test('a request of which any part was replaced by chance is refused', () => {
  const path = fc.stringMatching(/^\/[a-z0-9/%._-]{0,20}(\?[a-z=&]{0,10})?$/);
  const message = fc.record({ method: fc.constantFrom('GET', 'POST', 'PUT'), target: path, range: fc.option(fc.stringMatching(/^bytes=\d{1,3}-\d{0,3}$/), { nil: undefined }) })
    .map(({ method, target, range }): RequestMessage => ({ method, target, headers: { range } }));
  fc.assert(fc.property(message, message, (one, other) => {
    const headers = signRequest(one, macKey, stamp);
    expect(accepts(withHeaders(one, headers), macKey)).toBe(true);
    const isSame = one.method === other.method && withQuery(one.target) === withQuery(other.target) && one.headers['range'] === other.headers['range'];
    expect(accepts(withHeaders(other, headers), macKey)).toBe(isSame);
  }), { numRuns: runs(300) });
});

test('what must be covered must be: a header added later, or a body without a digest, is refused', () => {
  const bare: RequestMessage = { method: 'POST', target: '/x', headers: { 'content-length': '0' } };
  const signed = withHeaders(bare, signRequest(bare, edKey, stamp));
  expect(accepts(signed)).toBe(true);
  for (const added of [{ range: 'bytes=0-1' }, { 'content-type': 'text/html' }, { 'idempotency-key': 'k' }, { 'content-digest': contentDigest(sha256('')) }, { 'content-length': '5' }, { 'transfer-encoding': 'chunked' }]) {
    expect(accepts(withHeaders(signed, added)), JSON.stringify(added)).toBe(false);
  }
  expect(() => signRequest({ ...bare, headers: { 'content-length': '5' } }, edKey, stamp)).toThrow(expect.objectContaining({ code: 'internal' }));
  expect(() => signRequest({ ...bare, headers: { range: 'a\nb' } }, edKey, stamp)).toThrow(expect.objectContaining({ code: 'internal' }));
});

test('fields that are not of the profile are refused although the signature would be right', () => {
  const good = `("@method" "@path" "@query");created=${now};nonce="${stamp.nonce}";keyid="w1";tag="weir-req:${instance}"`;
  const plain: RequestMessage = { method: 'GET', target: '/', headers: {} };
  const forged = (params: string): boolean => {
    const base = `"@method": GET\n"@path": /\n"@query": ?\n"@signature-params": ${params}`;
    const signature = printSignature(createHmac('sha256', macKey.algorithm === 'hmac-sha256' ? macKey.secret : '').update(base).digest(), 'weir');
    return accepts(withHeaders(plain, { 'signature-input': `weir=${params}`, signature }), macKey);
  };
  expect(forged(good)).toBe(true);
  expect(forged(good.replace(`created=${now};nonce="${stamp.nonce}"`, `nonce="${stamp.nonce}";created=${now}`))).toBe(true);
  const bad = [
    good.replace('"@query"', ''), good.replace(' "@query"', ''), good.replace('"@query"', '"@query" "@query"'), good.replace('"@query"', '"@query" "host"'), good.replace('"@query"', '"@query";req'),
    `${good};alg="hmac-sha256"`, `${good};expires=${now + 9}`, `${good};created=${now}`, good.replace(`;nonce="${stamp.nonce}"`, ''), good.replace(`created=${now}`, `created=0${now}`), good.replace(`created=${now}`, `created="${now}"`),
    good.replace(`created=${now}`, `created=${now}.0`), good.replace(`created=${now}`, 'created=-1'), good.replace('" "', '"  "'), good.replace(';created', '; created'), good.replace('weir-req', 'weir-res'), good.replace('keyid="w1"', 'keyid="w\\1"'),
    good.replace('keyid="w1"', 'keyid=w1'), good.replace('keyid="w1"', 'keyid'), good.replace(stamp.nonce, 'short'), good.replace('"@path"', '"@PATH"'), `${good} `,
  ];
  for (const params of bad) expect(forged(params), params).toBe(false);
});

test('more than one signature, or two spellings of one, is refused', () => {
  const headers = signRequest(request, edKey, stamp);
  const both = (input: string | string[], signature: string | string[]): boolean => accepts(withHeaders(request, { 'signature-input': input, signature }));
  const [input, signature] = [headers['signature-input'], headers.signature];
  expect(both(input, signature)).toBe(true);
  expect(both([input, input], signature)).toBe(false);
  expect(both(input, [signature, signature])).toBe(false);
  expect(both(`${input}, ${input}`, `${signature}, ${signature}`)).toBe(false);
  expect(both(`${input}, other=()`, signature)).toBe(false);
  expect(both(input, `${signature}, other=:AA==:`)).toBe(false);
  expect(both(input.replace('weir=', 'sig1='), signature.replace('weir=', 'sig1='))).toBe(false);
  expect(both(input, signature.replace('==:', ':'))).toBe(false);
  expect(both(input, `${signature} `)).toBe(false);
});

test('a response is bound to its request, its status, its body and its instance', () => {
  const sent = signRequest(request, edKey, stamp);
  const other = signRequest({ ...request, method: 'PUT' }, edKey, stamp);
  const answer: ResponseMessage = { status: 200, headers: { 'content-type': 'application/json', 'content-length': '2', 'content-digest': contentDigest(sha256('[]')) } };
  const signed = (change: Partial<ResponseMessage> = {}): ResponseMessage => ({ ...answer, ...change, headers: { ...answer.headers, ...change.headers, ...signResponse(answer, sent, edKey, stamp) } });
  const holds = (response: ResponseMessage, to = sent, from = instance): boolean => {
    const read = readResponseSignature(response, to, from);
    return read !== undefined && verifySignature(read, edKey, now);
  };
  expect(signResponse(answer, sent, edKey, stamp)['signature-input']).toContain('("@status" "signature";req "content-digest" "content-type")');
  expect(holds(signed())).toBe(true);
  expect(holds(signed(), other)).toBe(false);
  expect(holds(signed(), sent, '01J9OTHER')).toBe(false);
  expect(holds(signed({ status: 201 }))).toBe(false);
  expect(holds(signed({ headers: { 'content-digest': contentDigest(sha256('{}')) } }))).toBe(false);
  expect(accepts({ ...request, headers: { ...request.headers, ...signResponse(answer, sent, edKey, stamp) } })).toBe(false);
});

test('canonical fields parse to what prints them, and rubbish to nothing', () => {
  const input = fc.record({
    components: fc.uniqueArray(fc.stringMatching(/^"@?[a-z][a-z0-9-]{0,20}"(;req)?$/), { maxLength: 8 }),
    parameters: fc.uniqueArray(fc.tuple(fc.stringMatching(/^[a-z]{1,16}$/), fc.oneof(fc.nat(), fc.stringMatching(/^[ !#-[\]-~]{0,30}$/))), { maxLength: 6, selector: ([name]) => name }),
  });
  fc.assert(fc.property(input, (each) => {
    expect(parseSignatureInput(`weir=${printSignatureParams(each)}`, 'weir')).toEqual(each);
  }), { numRuns: runs(300) });
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 128 }), (bytes) => {
    expect(parseSignature(printSignature(bytes, 'weir'), 'weir')).toEqual(Buffer.from(bytes));
  }), { numRuns: runs(100) });
  const headers = signRequest(request, edKey, stamp);
  const samples = [headers['signature-input'], headers.signature, contentDigest(sha256(''))];
  for (const text of mutations(samples, runs(4_000))) {
    for (const name of ['signature-input', 'signature', 'content-digest']) {
      const message = withHeaders(request, { ...headers, [name]: text });
      if (text !== message.headers[name] || !samples.includes(text)) expect(accepts(message), text).toBe(false);
    }
  }
});

const unsignable = expect.objectContaining({ code: 'internal' });

test('a message that no profile covers is neither signed nor read', () => {
  const fine = signRequest({ method: 'GET', target: '/', headers: {} }, edKey, stamp);
  const longest = `/${'a'.repeat(8_191)}`;
  for (const [method, target] of [['get', '/'], ['G ET', '/'], ['', '/'], ['A'.repeat(17), '/'], ['GETx', '/'], ['xGET', '/'], ['GET', ''], ['GET', 'x'], ['GET', 'https://a/'], ['GET', `${longest}a`]] as const) {
    expect(() => signRequest({ method, target, headers: {} }, edKey, stamp), `${method} ${target.slice(0, 20)}`).toThrow(unsignable);
    expect(readRequestSignature({ method, target, headers: { ...fine } }, instance)).toBeUndefined();
  }
  for (const [method, target] of [['A'.repeat(16), '/'], ['GET', longest]] as const) {
    const message: RequestMessage = { method, target, headers: {} };
    expect(accepts(withHeaders(message, signRequest(message, edKey, stamp)))).toBe(true);
  }
  for (const status of [199, 600, 200.5, Number.NaN]) expect(() => signResponse({ status, headers: {} }, fine, edKey, stamp), String(status)).toThrow(unsignable);
  for (const status of [200, 599]) expect(signResponse({ status, headers: {} }, fine, edKey, stamp).signature).toMatch(/^weir=:/);
  const ranged = (length: number): RequestMessage => ({ method: 'GET', target: '/', headers: { range: 'r'.repeat(length) } });
  expect(signRequest(ranged(4_096), edKey, stamp).signature).toMatch(/^weir=:/);
  expect(() => signRequest(ranged(4_097), edKey, stamp)).toThrow(unsignable);
});

test('path and query are covered apart, and spaces around a header are not part of it', () => {
  const base = (target: string, headers: MessageHeaders = {}): string => {
    const message: RequestMessage = { method: 'GET', target, headers };
    return readRequestSignature(withHeaders(message, signRequest(message, edKey, stamp)), instance)?.base ?? '';
  };
  expect(base('/a/b?c=d?e').split('\n').slice(0, 3)).toEqual(['"@method": GET', '"@path": /a/b', '"@query": ?c=d?e']);
  expect(base('/a/b').split('\n').slice(0, 3)).toEqual(['"@method": GET', '"@path": /a/b', '"@query": ?']);
  expect(base('/', { range: ' bytes=0-1\t' }).split('\n')[3]).toBe('"range": bytes=0-1');
});

test('a stamp or a key that could not be read again does not sign', () => {
  const message: RequestMessage = { method: 'GET', target: '/', headers: {} };
  const bad = [{ instance: '' }, { instance: 'a b' }, { instance: 'i'.repeat(65) }, { nonce: 'short' }, { nonce: 'n'.repeat(65) }, { nonce: 'not all of it is base64 url' }, { createdSeconds: 0.5 }, { createdSeconds: Number.NaN }];
  for (const change of bad) expect(() => signRequest(message, edKey, { ...stamp, ...change }), JSON.stringify(change)).toThrow(unsignable);
  for (const id of ['', 'two words', 'k'.repeat(129)]) expect(() => signRequest(message, { ...macKey, id }, stamp), id).toThrow(unsignable);
  if (edKey.algorithm !== 'ed25519') throw new Error('an Ed25519 key is needed');
  expect(() => signRequest(message, { id: 'w1', algorithm: 'ed25519', public: edKey.public }, stamp)).toThrow(/"w1" only verifies/);
});

test('what is covered is exactly what the profile names, and a digest that can not be read is no signature', () => {
  const message: RequestMessage = { method: 'GET', target: '/', headers: {} };
  const { secret } = macKey.algorithm === 'hmac-sha256' ? macKey : { secret: createSecretKey(randomBytes(32)) };
  const reads = (components: string, headers: MessageHeaders = {}, changed = (params: string): string => params): boolean => {
    const params = changed(`(${components});created=${now};nonce="${stamp.nonce}";keyid="w1";tag="weir-req:${instance}"`);
    const values: Record<string, string> = { '"@method"': 'GET', '"@path"': '/', '"@query"': '?', '"content-digest"': String(headers['content-digest']), '"range"': String(headers['range']) };
    const base = `${components === '' ? '' : components.split(' ').map((name) => `${name}: ${values[name]}\n`).join('')}"@signature-params": ${params}`;
    return readRequestSignature(withHeaders(message, { ...headers, 'signature-input': `weir=${params}`, signature: printSignature(createHmac('sha256', secret).update(base).digest(), 'weir') }), instance) !== undefined;
  };
  const all = '"@method" "@path" "@query"';
  expect([reads(all), reads('"@query" "@method" "@path"'), reads(`${all} "range"`, { range: 'x' })]).toEqual([true, true, true]);
  expect([reads('"@method" "@path"'), reads(''), reads(`${all} "range"`), reads(all, { range: 'x' }), reads('"@method" "@path" "range"', { range: 'x' }), reads(`${all} "content-digest"`, { 'content-digest': 'sha-256=:rubbish:' })]).toEqual(Array(6).fill(false));
  expect(reads(`${all} "content-digest"`, { 'content-digest': contentDigest(sha256('')) })).toBe(true);
  for (const [from, to] of [[`nonce="${stamp.nonce}"`, 'nonce=1234567890123456'], ['keyid="w1"', 'keyid=1'], ['keyid="w1"', 'keyid="two words"'], [`created=${now}`, `created="${now}"`], [';keyid="w1"', ''], ['keyid="w1"', 'keyid="w1";alg="ed25519"']] as const) {
    expect(reads(all, {}, (params) => params.replace(from, to)), to).toBe(false);
  }
  const signed = withHeaders(message, signRequest(message, macKey, stamp));
  for (const missing of ['signature', 'signature-input']) for (const value of [undefined, ['a', 'b']]) expect(readRequestSignature(withHeaders(signed, { [missing]: value }), instance)).toBeUndefined();
});

test('the fields of a signature are bounded, of one label, one spelling and without repetition', () => {
  const named = (count: number): string => Array.from({ length: count }, (_, index) => `"h${index}"`).join(' ');
  const parses = (value: string): boolean => parseSignatureInput(value, 'weir') !== undefined;
  expect([parses(`weir=(${named(16)})`), parses(`weir=(${named(17)})`), parses('weir=()'), parses('weir=("a" "a")'), parses('weir=("a" "a";req)')]).toEqual([true, false, true, false, true]);
  for (const bad of ['other=()', 'weir=', 'weir=("a"  "b")', 'weir=( "a")', 'weir=("A")', 'weir=();a=1;a=2', 'weir=();a=01', 'weir=();a="\u00e4"', 'weir=("a");b="c"x', ' weir=()', 'weir=()\n', '']) expect(parses(bad), bad).toBe(false);
  const filled = (length: number): string => `weir=();a="${'x'.repeat(length - 'weir=();a=""'.length)}"`;
  expect([parses(filled(2_048)), parses(filled(2_049))]).toEqual([true, false]);
  expect(parseSignatureInput('weir=();a="";b=0', 'weir')).toEqual({ components: [], parameters: [['a', ''], ['b', 0]] });
  const value = printSignature(Buffer.from('signature'), 'weir');
  expect(parseSignature(value, 'weir')).toEqual(Buffer.from('signature'));
  for (const [bad, label] of [[value, 'other'], ['', 'weir'], [`${value}x`, 'weir'], ['weir=::', 'weir'], ['weir=:AB==:', 'weir'], ['weir=:A:', 'weir'], [`weir=:${'A'.repeat(173)}:`, 'weir']] as const) expect(parseSignature(bad, label), bad).toBeUndefined();
  expect(signatureBase({ components: ['"a"'], parameters: [] }, () => undefined)).toBeUndefined();
  expect(signatureBase({ components: ['"a"'], parameters: [] }, () => 'two\nlines')).toBeUndefined();
  expect(signatureBase({ components: ['"a"'], parameters: [] }, () => 'line')).toBe('"a": line\n"@signature-params": ("a")');
});
