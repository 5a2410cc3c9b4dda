import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WeirError } from '@weir/contracts/errors';
import { clientAddress } from '../src/client-address.ts';
import { canonicalAddress, compileNetworks, everywhere, limitKey, networksWithin, peerAddress } from '../src/networks.ts';
import { mutations } from './mutations.ts';
import { runs } from './runs.ts';

/** The obvious model: an address is a number of 32 or 128 bits, a network the numbers that agree in their first bits. */
type Model = { bits: 32 | 128; value: bigint };
const valueOf4 = (text: string): bigint => text.split('.').reduce((value, octet) => (value << 8n) | BigInt(octet), 0n);
function modelOf(text: string): Model {
  if (!text.includes(':')) return { bits: 32, value: valueOf4(text) };
  const dotted = /(?<=:)[0-9.]+\.[0-9]+$/.exec(text)?.[0];
  const low = dotted === undefined ? 0n : valueOf4(dotted);
  const plain = dotted === undefined ? text : text.replace(dotted, `${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`);
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  const value = groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
  return value >> 32n === 0xffffn ? { bits: 32, value: value & 0xffffffffn } : { bits: 128, value };
}
const holds = (network: Model, prefix: number, address: Model): boolean =>
  network.bits === address.bits && network.value >> BigInt(network.bits - prefix) === address.value >> BigInt(network.bits - prefix);

const ipv4 = fc.ipV4();
/** All spellings: upper case, zeros, mapped, embedded, from few bits so that networks overlap. */
const ipv6 = fc.oneof(
  fc.ipV6(),
  fc.ipV4().map((address) => `::ffff:${address}`),
  fc.ipV4().map((address) => `0:0:0:0:0:FFFF:${address}`),
  fc.tuple(fc.constantFrom('2001:db8', '2001:DB8', '2001:0db8'), fc.nat(3), fc.nat(3)).map(([start, a, b]) => `${start}:${a}::${b}`),
);
const address = fc.oneof(ipv4, fc.tuple(fc.nat(1), fc.nat(3)).map(([a, b]) => `10.0.${a}.${b}`), ipv6);

test('spellings of one address are one', () => {
  expect(['::FFFF:1.2.3.4', '0:0:0:0:0:ffff:0102:0304', '1.2.3.4'].map(canonicalAddress)).toEqual(['1.2.3.4', '1.2.3.4', '1.2.3.4']);
  expect(['2001:DB8:0:0:0:0:0:1', '2001:db8::1', '2001:0db8::0001'].map(canonicalAddress)).toEqual(['2001:db8::1', '2001:db8::1', '2001:db8::1']);
  for (const bad of ['', '1.2.3', '01.2.3.4', '1.2.3.4 ', '1.2.3.4:80', '[::1]', 'fe80::1%eth0', '::1%', 'localhost', '1'.repeat(100), '::ffff:1.2.3.256', '1.2.3.4\n', '0x7f.0.0.1', '2130706433']) {
    expect(canonicalAddress(bad), JSON.stringify(bad)).toBeUndefined();
  }
  expect(peerAddress('fe80::1%eth0')).toBe('fe80::1');
  expect(peerAddress('::ffff:127.0.0.1')).toBe('127.0.0.1');
  expect(peerAddress(undefined)).toBeUndefined();
});

test('two addresses have the same canonical form exactly when they are the same number', () => {
  fc.assert(fc.property(address, address, (a, b) => {
    const [canonicalA = '', canonicalB = ''] = [canonicalAddress(a), canonicalAddress(b)];
    expect(modelOf(canonicalA)).toEqual(modelOf(a));
    expect(canonicalAddress(canonicalA)).toBe(canonicalA);
    expect(canonicalA === canonicalB).toBe(modelOf(a).bits === modelOf(b).bits && modelOf(a).value === modelOf(b).value);
  }), { numRuns: runs(1_000) });
});

test('a scope holds what arithmetic says', () => {
  const cidr = fc.tuple(address, fc.nat(128)).map(([text, bits]) => {
    const model = modelOf(text);
    const prefix = Math.min(bits, model.bits);
    return { text: `${text}/${text.includes(':') && model.bits === 32 ? prefix + 96 : prefix}`, model, prefix };
  });
  fc.assert(fc.property(fc.array(cidr, { maxLength: 5 }), fc.array(address, { minLength: 1, maxLength: 5 }), (cidrs, addresses) => {
    const scope = compileNetworks(cidrs.map(({ text }) => text));
    for (const text of [...addresses, ...cidrs.map(({ text: own }) => own.replace(/\/.*/, ''))]) {
      const expected = cidrs.some(({ model, prefix }) => holds(model, prefix, modelOf(text)));
      expect(scope.contains(canonicalAddress(text) ?? ''), `${text} in ${cidrs.map((each) => each.text).join(' ')}`).toBe(expected);
    }
  }), { numRuns: runs(1_000) });
});

test('edges of scopes: bare addresses, everything of one family, nothing', () => {
  expect(compileNetworks(['192.0.2.7']).contains('192.0.2.7')).toBe(true);
  expect(compileNetworks(['192.0.2.7']).contains('192.0.2.8')).toBe(false);
  expect(compileNetworks(['::/0']).contains('192.0.2.7')).toBe(false);
  expect(compileNetworks(['0.0.0.0/0']).contains('::1')).toBe(false);
  expect(compileNetworks(['::ffff:10.0.0.0/104']).contains('10.9.9.9')).toBe(true);
  expect(compileNetworks([]).contains('127.0.0.1')).toBe(false);
  expect(everywhere.contains('2001:db8::1')).toBe(true);
});

test('a bad network is refused by name, without throwing anything else', () => {
  for (const bad of ['not-a-cidr', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/08', '10.0.0.0/', '10.0.0.0/8/8', '::/129', '::ffff:10.0.0.0/8', '10.0.0/8', 'fe80::1%eth0/64', '', ' 10.0.0.0/8', '10.0.0.0/1e1', '*']) {
    expect(() => compileNetworks(['10.0.0.0/8', bad]), bad).toThrow(expect.objectContaining({ code: 'request.invalid', facts: { network: bad } }));
  }
  expect(() => compileNetworks(Array<string>(1_001).fill('10.0.0.1'))).toThrow(WeirError);
  for (const text of mutations(['10.0.0.0/8', '2001:db8::/32', '::ffff:1.2.3.4/120'], runs(3_000))) {
    try { compileNetworks([text]); } catch (error) { expect(error).toBeInstanceOf(WeirError); }
  }
});

test('limits count an IPv4 address, and the /64 of an IPv6 address', () => {
  expect(limitKey('192.0.2.7')).toBe('192.0.2.7');
  fc.assert(fc.property(ipv6, ipv6, (a, b) => {
    const [left, right] = [modelOf(a), modelOf(b)];
    if (left.bits === 32 || right.bits === 32) return;
    const key = limitKey(canonicalAddress(a) ?? '');
    expect(key === limitKey(canonicalAddress(b) ?? '')).toBe(left.value >> 64n === right.value >> 64n);
    expect(modelOf(key.replace('/64', '')).value >> 64n).toBe(left.value >> 64n);
  }), { numRuns: runs(500) });
});

const proxies = compileNetworks(['127.0.0.1', '10.0.0.0/8', 'fd00::/8']);
const trust = { proxies, directUse: 'refused' } as const;
const refused = expect.objectContaining({ code: 'request.invalid' });

test('forwarded addresses are believed from trusted proxies only, from the right', () => {
  expect(clientAddress('203.0.113.9', '198.51.100.1', trust)).toBe('203.0.113.9');
  expect(clientAddress('127.0.0.1', '198.51.100.1', trust)).toBe('198.51.100.1');
  expect(clientAddress('127.0.0.1', '1.1.1.1, 198.51.100.1,10.0.0.3 , 10.0.0.2', trust)).toBe('198.51.100.1');
  expect(clientAddress('127.0.0.1', ['spoofed', '198.51.100.1', '10.0.0.3'], trust)).toBe('198.51.100.1');
  expect(clientAddress('127.0.0.1', '10.0.0.9, 10.0.0.3', trust)).toBe('10.0.0.9');
  expect(clientAddress('10.1.1.1', '::ffff:127.0.0.1', trust)).toBe('127.0.0.1');
});

test('ports and brackets are accepted, anything else that is no address refuses the request', () => {
  const accepted = { '198.51.100.1:4711': '198.51.100.1', '[2001:DB8::1]:443': '2001:db8::1', '[2001:db8::1]': '2001:db8::1', '2001:db8::1': '2001:db8::1', '[::ffff:198.51.100.1]:1': '198.51.100.1' };
  for (const [hop, address_] of Object.entries(accepted)) expect(clientAddress('127.0.0.1', hop, trust)).toBe(address_);
  for (const hop of ['', ' ', 'unknown', '_hidden', 'fe80::1%eth0', '198.51.100.1:', '198.51.100.1:99999', '[198.51.100.1]', '[::1', '[::1]x', '1.2.3.4:5:6', '198.51.100.1,', 'localhost', '198.51.100.1;proto=http', '\u00a0198.51.100.1', '198.51.100.1\u0085', '\ufeff198.51.100.1', '198.51.100.1\u000b', '198.51.100.1\n']) {
    expect(() => clientAddress('127.0.0.1', hop, trust), JSON.stringify(hop)).toThrow(refused);
  }
  expect(() => clientAddress('127.0.0.1', Array(33).fill('10.0.0.1').join(), trust)).toThrow(refused);
  expect(() => clientAddress('127.0.0.1', `${' '.repeat(2_050)}1.1.1.1`, trust)).toThrow(refused);
});

test('a trusted peer without the header is itself only where direct use is allowed', () => {
  expect(() => clientAddress('127.0.0.1', undefined, trust)).toThrow(refused);
  expect(() => clientAddress('127.0.0.1', [], trust)).toThrow(refused);
  expect(clientAddress('127.0.0.1', undefined, { proxies, directUse: 'allowed' })).toBe('127.0.0.1');
  expect(() => clientAddress('127.0.0.1', 'unknown', { proxies, directUse: 'allowed' })).toThrow(refused);
});

test('the client is the first hop from the right that is not trusted, whatever a stranger put before it', () => {
  fc.assert(fc.property(fc.array(fc.string({ maxLength: 20 }).map((text) => text.replaceAll(',', ''))), fc.ipV4(), fc.array(fc.constantFrom('10.0.0.1', '127.0.0.1', 'fd00::7')), (spoofed, client, inside) => {
    if (proxies.contains(client)) return;
    expect(clientAddress('10.9.9.9', [...spoofed, client, ...inside].slice(-32).join(', '), trust)).toBe(client);
  }), { numRuns: runs(300) });
  for (const text of mutations(['198.51.100.1, 10.0.0.1', '[2001:db8::1]:443'], runs(3_000))) {
    try { expect(canonicalAddress(clientAddress('127.0.0.1', text, trust))).toBeDefined(); } catch (error) { expect(error).toBeInstanceOf(WeirError); }
  }
});

/** X-Forwarded-For as anybody may write it: as text, with what the reading of it must come to, by a model that knows how it was made. */
const hop = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('10.0.0.1', '10.200.3.4', '127.0.0.1', 'fd00::7', '::ffff:10.1.1.1').map((text) => ({ text, is: 'trusted' as const })) },
  { weight: 4, arbitrary: address.map((text) => ({ text, is: 'address' as const })) },
  { weight: 1, arbitrary: fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'grapheme', maxLength: 6 }), fc.constantFrom('unknown', '_x', 'fe80::1%eth0', '', '1.2.3.4.5', 'for=1.2.3.4', '١٢٧.0.0.1', '１.2.3.4', '127.0.0.1\u0000'))
    .map((text) => ({ text: text.replaceAll(',', ' '), is: 'other' as const })) },
);
/** An address may come with a port or in brackets, and anything with spaces around it. */
const written = fc.tuple(hop, fc.constantFrom('', ':1', ':65535'), fc.boolean(), fc.constantFrom('', ' ', '\t', '  ')).map(([{ text, is }, port, brackets, space]) => {
  const isV6 = text.includes(':');
  const shown = is === 'other' ? text : isV6 && (brackets || port !== '') ? `[${text}]${port}` : isV6 ? text : `${text}${port}`;
  return { shown: `${space}${shown}${space}`, text, is };
});

test('dffmpeg §2 #13: whatever X-Forwarded-For says, the client is the first from the right that no trusted proxy is, or the request is refused', () => {
  fc.assert(fc.property(fc.array(written, { maxLength: 40 }), fc.array(fc.boolean(), { maxLength: 40 }), (hops, breaks) => {
    // In one header or in many: the lines are one list.
    const headers: string[] = [];
    for (const [index, { shown }] of hops.entries()) {
      if (headers.length === 0 || breaks[index] === true) headers.push(shown);
      else headers[headers.length - 1] += `,${shown}`;
    }
    const expected = modelClient(hops);
    const read = (): string => clientAddress('127.0.0.1', headers, trust);
    if (hops.length > 32 || headers.join(',').length > 2_048 || expected === undefined) expect(read, JSON.stringify(headers)).toThrow(refused);
    else expect(modelOf(read()), JSON.stringify(headers)).toEqual(modelOf(expected));
  }), { numRuns: runs(3_000) });
  for (const many of [1_000, 100_000]) expect(() => clientAddress('127.0.0.1', Array.from({ length: many }, () => '10.0.0.1'), trust)).toThrow(refused);
});

const bare = (text: string): string => text.replaceAll(/^[ \t]+|[ \t]+$/g, '');
/** Undefined where the way from the right meets something that is no address before it meets a client, or there is nothing. */
function modelClient(hops: readonly { text: string; is: 'trusted' | 'address' | 'other' }[]): string | undefined {
  let last: string | undefined;
  for (const { text, is } of hops.toReversed()) {
    if (is === 'other' && canonicalAddress(bare(text)) === undefined) return undefined;
    last = bare(text);
    const value = modelOf(last);
    const trusted = [['127.0.0.1', 32], ['10.0.0.0', 8], ['fd00::', 8]] as const;
    if (!trusted.some(([network, prefix]) => holds(modelOf(network), prefix, value))) return last;
  }
  return last;
}

test('dffmpeg §2 #9: a scope that does not parse is refused when it is written, and what was written always reads again', () => {
  fc.assert(fc.property(fc.oneof(fc.string({ maxLength: 50 }), fc.string({ unit: 'grapheme', maxLength: 20 }), address.map((text) => `${text}/200`), fc.tuple(address, fc.nat(140)).map(([text, bits]) => `${text}/${bits}`)), (text) => {
    let scope;
    try {
      scope = compileNetworks([text]);
    } catch (error) {
      expect(error).toMatchObject({ code: 'request.invalid' });
      return;
    }
    expect(scope.contains(canonicalAddress(text.replace(/\/.*/, '')) ?? '')).toBe(true);
  }), { numRuns: runs(3_000) });
});

test('an IPv6 address counts as its /64 however it is written, one that ends in an IPv4 address too', () => {
  const keys = { '::1': '0:0:0:0', '::': '0:0:0:0', '2001:db8::': '2001:db8:0:0', '1:2:3:4:5:6:7:8': '1:2:3:4', '1::2:3:4:5:6:7': '1:0:2:3', '1:2:3::8': '1:2:3:0', '::5:6:7:8': '0:0:0:0', '::4:5:6:7:8': '0:0:0:4', '::1.2.3.4': '0:0:0:0', '1::4:5:1.2.3.4': '1:0:0:0' };
  for (const [address, prefix] of Object.entries(keys)) expect(limitKey(canonicalAddress(address) ?? ''), address).toBe(`${prefix}::/64`);
});

test('networks are within others by every bit, of addresses that end in an IPv4 address too', () => {
  const within = (inner: string, outer: string): boolean => networksWithin([inner], [outer]);
  for (const [inner, outer] of [['10.200.30.40', '10.200.30.0/24'], ['::1.2.3.4', '::/96'], ['::1.2.3.4', '::1.2.3.0/120'], ['::100.200.100.200', '::100.200.0.0/112'], ['2001:db8::1', '2001:db8::/127'], ['::', '::/128'], ['1::', '1::/128']] as const) {
    expect(within(inner, outer), `${inner} ${outer}`).toBe(true);
  }
  for (const [inner, outer] of [['10.20.30.40', '10.200.30.0/24'], ['10.200.30.40', '10.20.30.0/24'], ['::1.2.4.4', '::1.2.3.0/120'], ['::1.2.3.4', '::1.3.0.0/112'], ['2001:db8::2', '2001:db8::/127'], ['::1.2.3.4', '1.2.3.4'], ['1.2.3.4', '::1.2.3.4'], ['::1', '::/128'], ['1::', '::/128']] as const) {
    expect(within(inner, outer), `${inner} ${outer}`).toBe(false);
  }
});

test('a list of networks is bounded, and a bad one is named by its beginning', () => {
  expect(compileNetworks(Array<string>(1_000).fill('192.0.2.0/24')).contains('192.0.2.1')).toBe(true);
  expect(() => compileNetworks(Array<string>(1_001).fill('192.0.2.0/24'))).toThrow(expect.objectContaining({ code: 'request.invalid', message: expect.stringContaining('1000') }));
  expect(() => compileNetworks(['9'.repeat(1_000)])).toThrow(expect.objectContaining({ facts: { network: '9'.repeat(60) }, message: expect.stringMatching(/^"9{60}" is not a network; write /) }));
});

test('a proxy that is not understood is told what it sent', () => {
  const trust = { proxies: compileNetworks(['127.0.0.1']), directUse: 'refused' } as const;
  const says = (header: string | readonly string[] | undefined): string => { try { return clientAddress('127.0.0.1', header, trust); } catch (error) { return String(error); } };
  for (const none of [undefined, '', []]) expect(says(none)).toContain('sent no X-Forwarded-For');
  expect(says('unknown')).toContain('no address');
  expect(clientAddress('127.0.0.1', '', { ...trust, directUse: 'allowed' })).toBe('127.0.0.1');
  expect(says(Array(32).fill('127.0.0.1').join())).toBe('127.0.0.1');
  expect(says(Array(33).fill('127.0.0.1').join())).toContain('32 hops');
  const padded = (length: number): string => '1.1.1.1'.padStart(length);
  expect([says(padded(2_048)), says(padded(2_049))]).toEqual(['1.1.1.1', expect.stringContaining('2 KiB')]);
});

test.each([
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'], ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'], ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'], ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'], ['2001:0DB8::00AA', '2001:db8::aa'], ['0:0:0:0:0:0:0:0', '::'], ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ['::ffff:192.0.2.1', '192.0.2.1'], ['::FFFF:C000:0201', '192.0.2.1'], ['0000:0000:0000:0000:0000:ffff:255.255.255.255', '255.255.255.255'], ['::ffff:0:0', '0.0.0.0'], ['2002:c000:201::', '2002:c000:201::'], ['::ffff:0:192.0.2.1', '::ffff:0:c000:201'],
])('RFC 5952 §4, RFC 4291 §2.5.5.2: %s is written %s', (text, canonical) => { expect(canonicalAddress(text)).toBe(canonical); });

/** Spellings that some readers take for addresses, and each for another one. */
test.each([
  '127.1', '127.0.1', '1', '0', '2130706433', '4294967295', '0x7f000001', '0x7f.0.0.1', '0x7f.1', '017700000001', '0177.0.0.1', '0177.0x0.0.1', '127.0.0.01', '00127.0.0.1', '127.0.0.08', '256.0.0.1', '127.0.0.256', '1.2.3.4.5', '1.2.3.4.', '.1.2.3.4', '1..3.4', '1.2.3.-4', '+1.2.3.4', '1.2.3.4e0', '1.2.3.4\0', '1.2.3.4\n',
  '１.2.3.4', '١.2.3.4', '1。2。3。4', '①.2.3.4', '[1.2.3.4]', ':::', '1::2::3', ':1::2', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::9', '12345::', '::g', '::1%', '::1%0', 'fe80::1%25eth0', 'fe80::1%eth0', '::1.2.3', '::1.2.3.4.5', '::1.2.3.256', '::01.2.3.4', '::ffff:0x7f.1', '::ffff:127.1', '1.2.3.4::', '::1.2.3.4:5', '0x::1', '::0x1',
  'localhost', '::ffff:localhost', '0:0:0:0:0:0:0:0:', '-1::',
])('RFC 6943 §3.1.1: %j is no address, in no network and behind no proxy', (text) => {
  expect(canonicalAddress(text)).toBeUndefined();
  for (const prefix of ['', '/8', '/32', '/128']) expect(() => compileNetworks([`${text}${prefix}`])).toThrow(WeirError);
  expect(() => clientAddress('127.0.0.1', text, trust)).toThrow(refused);
});

test.each(['1.2.3.4/33', '1.2.3.4/032', '1.2.3.4/08', '1.2.3.4/+8', '1.2.3.4/-0', '1.2.3.4/8 ', '1.2.3.4/ 8', '1.2.3.4 /8', '1.2.3.4/8.0', '1.2.3.4/0x8', '1.2.3.4/1e1', '1.2.3.4/８', '1.2.3.4/255.255.255.0', '1.2.3.4/0.0.0.255', '1.2.3.4//8', '1.2.3.4/8/', '1.2.3.4/', '/8', '/', '1.2.3.4-1.2.3.9', '1.2.3.*', '1.2.3.4/8,5.6.7.8/8', '1.2.3.4/99999999999999999999', '::/129', '::/0128', '::/', '::1/128%lo', '::ffff:1.2.3.4/95', '::ffff:1.2.3.4/32', '::ffff:1.2.3.4/129', 'example.org/8', 'all', '::/0\0'])(
  'RFC 4632 §3.1: %j is no network', (text) => { expect(() => compileNetworks([text])).toThrow(expect.objectContaining({ code: 'request.invalid' })); });

test('RFC 4632 §3.1, RFC 4291 §2.3: bits of hosts are ignored, and an address inside another kind of address is in its own network alone', () => {
  const inside = (network: string, text: string): boolean => compileNetworks([network]).contains(canonicalAddress(text) ?? '');
  for (const [network, text] of [['10.1.2.3/8', '10.255.0.1'], ['192.0.2.255/31', '192.0.2.254'], ['2001:db8::dead:beef/32', '2001:db8:ffff::'], ['0.0.0.0/0', '255.255.255.255'], ['::/0', 'ffff::'], ['::ffff:10.0.0.1/96', '203.0.113.1'], ['::ffff:0:0/96', '203.0.113.1'], ['127.0.0.1', '::ffff:7f00:1']] as const) expect(inside(network, text), `${network} ${text}`).toBe(true);
  // 6to4, NAT64, Teredo, IPv4-compatible, IPv4-translated and ISATAP (RFC 3056, 6052, 4380, 4291, 2765, 5214) of 10.0.0.1.
  for (const other of ['2002:a00:1::', '64:ff9b::a00:1', '64:ff9b:1::a00:1', '2001:0:a00:1::', '2001::f5ff:fffe', '::10.0.0.1', '::ffff:0:10.0.0.1', 'fe80::5efe:10.0.0.1']) expect([inside('10.0.0.0/8', other), inside('0.0.0.0/0', other)], other).toEqual([false, false]);
});
