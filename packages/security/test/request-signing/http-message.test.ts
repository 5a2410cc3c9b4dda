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
