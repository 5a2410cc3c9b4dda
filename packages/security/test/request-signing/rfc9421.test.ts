/** What collections of cases hold for RFC 9421, RFC 9651 and RFC 9530: the published bases, every field that structured fields allow and this profile does not, and the attacks of §7. */
import { createHash, createHmac, createPublicKey, createSecretKey, randomBytes, verify } from 'node:crypto';
import { expect, test } from 'vitest';
import { contentDigest, parseContentDigest } from '../../src/request-signing/content-digest.ts';
import { readRequestSignature, signRequest, verifySignature, type MessageHeaders, type MessageKey, type RequestMessage } from '../../src/request-signing/http-message.ts';
import { parseSignature, parseSignatureInput, printSignature, signatureBase } from '../../src/request-signing/signature-fields.ts';

const sha256 = (body: string): Buffer => createHash('sha256').update(body).digest();

/** Messages of appendix B.2. */
const publishedRequest: Readonly<Record<string, string>> = {
  '"date"': 'Tue, 20 Apr 2021 02:07:55 GMT', '"@method"': 'POST', '"@path"': '/foo', '"@query"': '?param=Value&Pet=dog', '"@authority"': 'example.com', '"content-type"': 'application/json',
  '"content-digest"': 'sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:', '"content-length"': '18',
};
const publishedResponse: Readonly<Record<string, string>> = {
  '"@status"': '200', '"content-type"': 'application/json', '"content-length"': '23',
  '"content-digest"': 'sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:',
};
const baseOf = (field: string, values: Readonly<Record<string, string>>): string | undefined => {
  const input = parseSignatureInput(field, field.slice(0, field.indexOf('=')));
  return input && signatureBase(input, (component) => values[component]);
};

test.each<[string, string, Readonly<Record<string, string>>, string]>([
  ['B.2.1', 'sig-b21=();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"', publishedRequest,
    '"@signature-params": ();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"'],
  ['B.2.3', 'sig-b23=("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss"', publishedRequest,
    '"date": Tue, 20 Apr 2021 02:07:55 GMT\n"@method": POST\n"@path": /foo\n"@query": ?param=Value&Pet=dog\n"@authority": example.com\n"content-type": application/json\n'
    + '"content-digest": sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:\n"content-length": 18\n'
    + '"@signature-params": ("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss"'],
  ['B.2.4', 'sig-b24=("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"', publishedResponse,
    '"@status": 200\n"content-type": application/json\n"content-digest": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:\n"content-length": 23\n'
    + '"@signature-params": ("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"'],
])('RFC 9421 %s: the base is the one that is published', (_, field, values, base) => { expect(baseOf(field, values)).toBe(base); });

test('RFC 9421 B.2.4: over that base the published signature holds', () => {
  const key = createPublicKey({ format: 'jwk', key: { kty: 'EC', crv: 'P-256', x: 'qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA', y: 'Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0' } });
  const base = baseOf('sig-b24=("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"', publishedResponse) ?? '';
  const signature = parseSignature('sig-b24=:wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==:', 'sig-b24') ?? Buffer.alloc(0);
  expect(verify('sha256', Buffer.from(base), { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
});

/** Of one field `weir=…`. What structured fields allow beside the one form that we print would let two readers see two things, so it is no field of ours. */
test.each<[string, string]>([
  ...['weir=("a"), b=()', 'a=(), weir=("a")', 'weir=("a"),', ',weir=("a")', 'weir=("a") ,', 'weir=("a"), weir=("a")', 'weir=("a"), weir=?1', 'weir', 'weir=?1', 'weir;a=1'].map((field): [string, string] => ['RFC 9651 §3.2, a dictionary', field]),
  ...['Weir=("a")', 'WEIR=("a")', 'w\u00ebir=("a")', '1weir=("a")', '-weir=("a")', '"weir"=("a")', 'weir =("a")', 'weir= ("a")', 'weir\t=("a")', '\tweir=("a")', ' weir=("a")', 'weir=("a")\t', 'weir=("a") ', 'weir=("a")\r\n', 'weir=("a")\0'].map((field): [string, string] => ['RFC 9651 §3.1.2, a key', field]),
  ...['weir=( "a")', 'weir=("a" )', 'weir=("a"  "b")', 'weir=("a"\t"b")', 'weir=("a","b")', 'weir=("a""b")', 'weir=(("a"))', 'weir=("a"', 'weir="a")', 'weir=("a"))', 'weir=("a";req;req)', 'weir=("a";req=?1)', 'weir=("a";req=?0)', 'weir=("a"; req)', 'weir=("a";Req)', 'weir=("a" "a")', 'weir=("A")', 'weir=(a)', "weir=('a')", 'weir=("a\\"")', 'weir=("")', 'weir=("@")', 'weir=("a b")', 'weir=(1)', 'weir=(:YQ==:)', 'weir=(?1)', 'weir=(@1)', 'weir=(%"a")']
    .map((field): [string, string] => ['RFC 9651 §3.1.1, an inner list', field]),
  ...['"@query-param";name="Pet"', '"a";sf', '"a";key="b"', '"a";bs', '"a";tr', '"@signature-params"', '"@request-response"', '"@method";req;tr', '"signature";key="sig1"'].map((component): [string, string] => ['RFC 9421 §2, a component with other parameters', `weir=(${component})`]),
  ...['+1', '-1', '-0', '00', '01', '1.0', '1.', '.1', '1e3', '0x1', '1_0', '1000000000000000', '9999999999999999', '', ' 1', '1 ', '\u00b2', '?1', '@1', 'token', '*', ':YQ==:', '"a', 'a"', "'a'", '"a\\\\"', '"a\\""', '"\u00e9"', '"\t"', '"\u007f"', '"\u0000"', '%"a"', '("a")', '"a""b"', '"a" "b"'].map((value): [string, string] => ['RFC 9651 §3.3, a parameter', `weir=("a");p=${value}`]),
  ...[';p', ';p=1;p=1', ';p=1;p="1"', ';P=1', '; p=1', ' ;p=1', ';\tp=1', ';p =1', ';;p=1', ';p=1;', ';=1', ';1=1', ';p=1,q=2', ';p=1 q=2', ';*p=1', ';p-q=1'].map((tail): [string, string] => ['RFC 9651 §3.1.2, parameters', `weir=("a")${tail}`]),
])('%s: %s is not read', (_, field) => {
  const input = parseSignatureInput(field, 'weir');
  if (field === 'weir=("@signature-params")' || field === 'weir=("@request-response")') expect(input && signatureBase(input, (component) => publishedRequest[component])).toBeUndefined();
  else expect(input).toBeUndefined();
});

test('RFC 9651 §3.3.1: an integer has up to fifteen digits', () => {
  for (const digits of ['0', '1', '999999999999999']) expect(parseSignatureInput(`weir=("a");created=${digits}`, 'weir')?.parameters).toEqual([['created', Number(digits)]]);
});

test.each(['', 'weir', 'weir=', 'weir=?1', 'weir="AA=="', 'weir=AA==', 'weir=::', 'weir=:AA:', 'weir=:AA=:', 'weir=:AA===:', 'weir=:AB==:', 'weir=:A A==:', 'weir=: AA==:', 'weir=:AA==: ', 'weir=:AA==', 'weir=AA==:', 'weir=:A-_=:', 'weir=:AA==:;a=1', 'weir=(:AA==:)', 'weir=:AA==:,', 'weir=:AA==:, weir=:AA==:', 'weir=:AA==:, b=:AA==:', 'b=:AA==:', 'Weir=:AA==:', 'weir=:AA\n==:', 'weir=:AA==:\0', 'weir=:\u00c1A==:', 'weir = :AA==:'])(
  'RFC 9651 §3.3.5, a byte sequence: %j is no signature', (field) => { expect(parseSignature(field, 'weir')).toBeUndefined(); });

const digest = contentDigest(sha256('x'));
test('RFC 9530 appendix B, RFC 9421 B.2: the digests that are published', () => {
  for (const [body, value] of [['', '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='], ['{"hello": "world"}', 'X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE='], ['{"hello": "world"}\n', 'RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=']] as const) {
    expect(contentDigest(sha256(body))).toBe(`sha-256=:${value}:`);
    expect(parseContentDigest(`sha-256=:${value}:`)).toEqual(sha256(body));
  }
});
test.each([
  '', 'sha-256', 'sha-256=?1', `${digest},`, `${digest}, `, `${digest}, ${digest}`, `${digest},${digest}`, `${digest}, sha-512=:AA==:`, `sha-512=:AA==:, ${digest}`, `unknown=:AA==:, ${digest}`, `${digest};q=1`, ` ${digest}`, `${digest} `, `\t${digest}`, digest.toUpperCase(), digest.replace('sha', 'SHA'), digest.replace('sha-256', 'sha256'),
  digest.replace('=:', '= :'), digest.replace(':', ''), digest.slice(0, -1), digest.replace('=:', '="').replace(/:$/, '"'), digest.replace('=:', '=(:').replace(/:$/, ':)'), digest.replace('=:', '=:='), digest.replace(/=:$/, ':'), digest.replace(/=:$/, '==:'), digest.replaceAll('+', '-').replaceAll('/', '_'), 'md5=:AAAAAAAAAAAAAAAAAAAAAA==:', 'sha=:AAAA:', 'unixsum=:AAAA:', 'crc32c=:AAAAAA==:',
  `sha-256=:${randomBytes(31).toString('base64')}:`, `sha-256=:${randomBytes(33).toString('base64')}:`, `sha-256=:${sha256('x').toString('hex')}:`, `sha-256=${sha256('x').toString('base64')}`, `SHA-256=${sha256('x').toString('base64')}`, 'sha-256=::',
].filter((value) => value !== digest))('RFC 9530 §2, a profile of one algorithm: %j is no digest', (value) => { expect(parseContentDigest(value)).toBeUndefined(); });

const now = 1_800_000_000;
const instance = 'one';
const secret = createSecretKey(randomBytes(32));
const key: MessageKey = { id: 'k', algorithm: 'hmac-sha256', secret };
const parameters = `created=${now};nonce="0123456789abcdef";keyid="k";tag="weir-req:${instance}"`;
const plain: RequestMessage = { method: 'POST', target: '/a?b=c', headers: { 'content-type': 'text/plain', 'content-length': '1', 'content-digest': digest } };
const values: Readonly<Record<string, string>> = { '"@method"': 'POST', '"@path"': '/a', '"@query"': '?b=c', '"content-type"': 'text/plain', '"content-digest"': digest };
const all = Object.keys(values);
/** A request whose MAC is right for what it says that it covers. */
const macked = (components: readonly string[], tail: string, message = plain, at = values): RequestMessage => {
  const lines = components.map((name) => `${name}: ${at[name] ?? ''}`);
  const base = [...lines, `"@signature-params": (${components.join(' ')});${tail}`].join('\n');
  const signature = printSignature(createHmac('sha256', secret).update(base).digest(), 'weir');
  return { ...message, headers: { ...message.headers, 'signature-input': `weir=(${components.join(' ')});${tail}`, signature } };
};
const accepts = (message: RequestMessage, with_: MessageKey = key): boolean => {
  const read = readRequestSignature(message, instance);
  return read !== undefined && verifySignature(read, with_, now) && read.contentDigest?.equals(sha256('x')) === true;
};
const headersOf = (message: RequestMessage, headers: MessageHeaders): RequestMessage => ({ ...message, headers: { ...message.headers, ...headers } });

test('the message that the attacks change is taken as it is', () => { expect(accepts(macked(all, parameters))).toBe(true); });
test.each<[string, () => RequestMessage]>([
  ...all.map((left): [string, () => RequestMessage] => [`§7.2.1: ${left} is not covered`, () => macked(all.filter((name) => name !== left), parameters)]),
  ['§7.2.1: nothing is covered', () => macked([], parameters)], ['§7.2.2: no nonce', () => macked(all, parameters.replace(/nonce="[^"]*";/, ''))], ['§7.2.2: no time', () => macked(all, parameters.replace(/created=\d+;/, ''))],
  ['§7.2.3: the authority in place of the path', () => macked([...all.filter((name) => name !== '"@path"'), '"@authority"'], parameters)], ['§7.2.3: a field that is not there', () => macked([...all, '"x-absent"'], parameters)], ['§7.2.3: a derived component as a header', () => macked(all.map((name) => (name === '"@path"' ? '"path"' : name)), parameters)],
  ['§7.2.5: another label', () => { const { headers } = macked(all, parameters); return headersOf(plain, { 'signature-input': String(headers['signature-input']).replace('weir', 'sig1'), signature: String(headers['signature']).replace('weir', 'sig1') }); }],
  ['§7.2.5: labels that differ', () => { const message = macked(all, parameters); return headersOf(message, { signature: String(message.headers['signature']).replace('weir', 'sig1') }); }],
  ['§7.2.6: a second signature beside it', () => { const message = macked(all, parameters); return headersOf(message, { 'signature-input': `${String(message.headers['signature-input'])}, proxy=();created=1`, signature: `${String(message.headers['signature'])}, proxy=:AAAA:` }); }],
  ['§7.2.7: not of this application', () => macked(all, parameters.replace('weir-req', 'other'))], ['§7.2.7: no tag', () => macked(all, parameters.replace(/;tag="[^"]*"/, ''))], ['§7.2.7: of another instance', () => macked(all, parameters.replace(':one', ':two'))], ['§7.2.7: of a response', () => macked(all, parameters.replace('weir-req', 'weir-res'))],
  ['§7.2.8: a digest of another body', () => headersOf(macked(all, parameters), { 'content-digest': contentDigest(sha256('y')) })], ['§7.2.8: a digest that is gone', () => headersOf(macked(all, parameters), { 'content-digest': undefined })], ['§7.2.8: a body without a digest', () => macked(all.filter((name) => name !== '"content-digest"'), parameters, { ...plain, headers: { 'content-type': 'text/plain', 'content-length': '1' } })],
  ['§7.3.3: the secret itself as the signature', () => headersOf(macked(all, parameters), { signature: printSignature(secret.export(), 'weir') })], ['§7.3.6: an algorithm that the message names', () => macked(all, `${parameters};alg="hmac-sha256"`)], ['§7.3.6: an end that the message names', () => macked(all, `${parameters};expires=${now + 9}`)],
  ['§7.3.7: a signature of half its length', () => { const message = macked(all, parameters); return headersOf(message, { signature: printSignature((parseSignature(String(message.headers['signature']), 'weir') ?? Buffer.alloc(0)).subarray(0, 16), 'weir') }); }],
  ['§7.5.2: a path that is encoded otherwise', () => ({ ...macked(all, parameters), target: '/%61?b=c' })], ['§7.5.2: a query that is encoded otherwise', () => ({ ...macked(all, parameters), target: '/a?b=%63' })], ['§7.5.3: a method in another case', () => ({ ...macked(all, parameters), method: 'post' })],
  ['§7.5.5: a header that came twice', () => headersOf(macked(all, parameters), { 'content-type': ['text/plain', 'text/html'] })], ['§7.5.5: a header that was joined', () => headersOf(macked(all, parameters), { 'content-type': 'text/plain, text/html' })],
  ['§7.5.6: a line in a value', () => macked(all, parameters, headersOf(plain, { 'content-type': 'text/plain\n"@path": /b' }), { ...values, '"content-type"': 'text/plain\n"@path": /b' })], ['§7.5.6: a folded value', () => macked(all, parameters, headersOf(plain, { 'content-type': 'text/plain\r\n ;a=b' }), { ...values, '"content-type"': 'text/plain ;a=b' })],
  ['§7.5.6: a blank that is none around a value', () => headersOf(macked(all, parameters), { 'content-type': 'text/plain\u00a0' })], ['§7.5.6: a value beyond ASCII', () => macked(all, parameters, headersOf(plain, { 'content-type': 'text/pl\u00e4in' }), { ...values, '"content-type"': 'text/pl\u00e4in' })],
  ['§7.5.7: another content type', () => headersOf(macked(all, parameters), { 'content-type': 'text/html' })], ['§7.5.7: a range that was added', () => headersOf(macked(all, parameters), { range: 'bytes=0-1' })], ['§7.5.7: a key of repetition that was added', () => headersOf(macked(all, parameters), { 'idempotency-key': 'k' })],
])('RFC 9421 %s: refused', (_, message) => { expect(accepts(message())).toBe(false); });

test('RFC 9421 §7.3.2, §7.3.6: a key answers to its own name and its own algorithm alone', () => {
  const message = macked(all, parameters);
  expect(accepts(message, { ...key, id: 'K' })).toBe(false);
  expect(accepts(message, { id: 'k', algorithm: 'hmac-sha256', secret: createSecretKey(randomBytes(32)) })).toBe(false);
  // The secret of an HMAC that is an Ed25519 public key, as a confused verifier would use it.
  const publicKey = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs' } });
  for (const confused of [Buffer.from('JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs', 'base64url'), publicKey.export({ type: 'spki', format: 'der' }), Buffer.from(publicKey.export({ type: 'spki', format: 'pem' }))]) {
    const forged = headersOf(plain, signRequest(plain, { id: 'k', algorithm: 'hmac-sha256', secret: createSecretKey(confused) }, { instance, createdSeconds: now, nonce: '0123456789abcdef' }));
    expect(accepts(forged, { id: 'k', algorithm: 'ed25519', public: publicKey })).toBe(false);
  }
});
