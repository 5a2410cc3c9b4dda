/** No address inside a special range is ever taken for one of the internet. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isPublicAddress } from '../../src/outbound/addresses.ts';
import { runs } from '../runs.ts';

/** RFC 6890 and the registries that it began, with what was added since. */
const special4 = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24',
  '192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4', '255.255.255.255/32',
];
const special6 = [
  '::/128', '::1/128', '::/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '100:0:0:1::/64', '2001::/23', '2001:1::1/128', '2001:1::2/128', '2001:1::3/128', '2001:3::/32', '2001:4:112::/48', '2001:30::/28', '2001::/32', '2001:2::/48', '2001:10::/28', '2001:20::/28', '2001:db8::/32', '2002::/16',
  '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8', '4000::/3', '8000::/1', '2620:4f:8000::/48',
];

const quad = (value: bigint): string => [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
const groups = (value: bigint): string[] => Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - index * 16)) & 0xffffn).toString(16));

function value6(text: string): bigint {
  const [head = '', tail = ''] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const all = text.includes('::') ? [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right] : left;
  return all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}
const value4 = (text: string): bigint => text.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);

/** Any address of a network, with its borders often. */
function anyIn(cidr: string, bits: number, valueOf: (text: string) => bigint): fc.Arbitrary<bigint> {
  const [base = '', prefix = ''] = cidr.split('/');
  const free = BigInt(bits - Number(prefix));
  const last = (1n << free) - 1n;
  return fc.oneof(fc.constantFrom(0n, last), fc.bigInt({ min: 0n, max: last })).map((rest) => ((valueOf(base) >> free) << free) | rest);
}

test.each(special4)('%s is not public, nor in any form inside IPv6', (cidr) => {
  fc.assert(fc.property(anyIn(cidr, 32, value4), (value) => {
    const [high, low] = [(value >> 16n).toString(16), (value & 0xffffn).toString(16)];
    for (const form of [quad(value), `::ffff:${quad(value)}`, `::ffff:${high}:${low}`, `0:0:0:0:0:FFFF:${high}:${low}`, `::${quad(value)}`, `64:ff9b::${quad(value)}`, `2002:${high}:${low}::1`]) {
      expect(isPublicAddress(form), form).toBe(false);
    }
  }), { numRuns: runs(200) });
});

test.each(special6)('%s is not public, however it is written', (cidr) => {
  fc.assert(fc.property(anyIn(cidr, 128, value6), (value) => {
    const parts = groups(value);
    for (const form of [parts.join(':'), parts.map((part) => part.padStart(4, '0')).join(':').toUpperCase()]) expect(isPublicAddress(form), form).toBe(false);
  }), { numRuns: runs(200) });
});

test('addresses of the internet are', () => {
  for (const address of ['1.1.1.1', '8.8.8.8', '93.184.216.34', '::ffff:9.9.9.9', '2606:4700:4700::1111', '2a00:1450:4001:80b::200e', '223.255.255.254']) expect(isPublicAddress(address), address).toBe(true);
});

test('what is no address, or not in the one form, is not', () => {
  for (const text of ['', 'localhost', '127.1', '2130706433', '0x7f.1', '017700000001', '1.1.1', '01.1.1.1', '1.1.1.1 ', '[::1]', 'fe80::1%eth0', '1.1.1.1/32', '2606::1::2', '8.8.8.8%lo']) {
    expect(isPublicAddress(text), text).toBe(false);
  }
});
