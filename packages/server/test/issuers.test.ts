import { expect, test } from 'vitest';
import { loadConfig } from '../src/config/load.ts';

const good = 'issuer = "https://idp.example", audience = "weir", jwks_uri = "https://idp.example/jwks", role_claim = "roles", role_map = { a = "user" }';
const load = (...entries: string[]) => loadConfig({ file: '/dev/null', environment: { WEIR_IDENTITY__ISSUERS: `[${entries.map((entry) => `{ ${entry} }`).join(', ')}]` } }).config.identity.issuers;

test('an issuer is read with its defaults', () => {
  expect(load(good)).toEqual([expect.objectContaining({ algorithms: ['EdDSA', 'ES256', 'RS256'], create: false, role_map: { a: 'user' } })]);
});

test.each([
  ['keys over plain HTTP', good.replace('"https://idp.example/jwks"', '"http://idp.example/jwks"'), /https/],
  ['a password in the address of the keys', good.replace('//idp.example/jwks', '//a:b@idp.example/jwks'), /password/],
  ['keys on this machine that no network allows', good.replace('"https://idp.example/jwks"', '"http://127.0.0.1:8080/jwks"'), /allow_networks = \["127\.0\.0\.1"\]/],
  ['keys at a private address of another network', `${good.replace('//idp.example/jwks', '//10.0.0.1/jwks')}, allow_networks = ["192.168.0.0/16"]`, /allow_networks/],
  ['a network that is none', `${good}, allow_networks = ["everything"]`, /allow_networks/],
  ['no keys at all', good.replace('jwks_uri = "https://idp.example/jwks",', ''), /either jwks_uri or jwks_file/],
  ['two places of keys', `${good}, jwks_file = "/x"`, /either jwks_uri or jwks_file/],
  ['a shared secret as the algorithm', `${good}, algorithms = ["HS256"]`, /algorithms/],
  ['no signature', `${good}, algorithms = ["none"]`, /algorithms/],
  ['a role that is not there', good.replace('"user"', '"boss"'), /"boss"/],
  ['everybody manages users', good.replace('{ a = "user" }', '{ "*" = "admin" }'), /everybody manage users/],
  ['a misspelt setting', `${good}, role_mapp = {}`, /role_mapp/],
])('refused: %s', (_, entry, message) => {
  expect(() => load(entry)).toThrow(message);
});

test('the same issuer twice is refused', () => {
  expect(() => load(good, good)).toThrow(/twice/);
});
