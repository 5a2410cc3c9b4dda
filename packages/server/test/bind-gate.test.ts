import { defineRoles } from '@weir/security/roles';
import { expect, test } from 'vitest';
import { checkBind } from '../src/bind-gate.ts';
import { Config } from '../src/config/schema.ts';

type Input = Readonly<{ server?: Record<string, unknown>; permissions?: Record<string, unknown> }>;
function check({ server = {}, permissions = {} }: Input): string[] {
  const config = Config.parse({ server, permissions });
  return checkBind(config, defineRoles(config.permissions.roles)).map(({ code }) => code);
}
const secret = 'correct-horse-battery-staple-and-more';
const far = { address: '0.0.0.0' };

test.each<[string, Input, string[]]>([
  ['loopback as it comes', {}, []],
  ['another loopback address', { server: { address: '127.8.8.8' } }, []],
  ['IPv6 loopback', { server: { address: '::1' } }, []],
  ['loopback where everyone is admin, as in development', { permissions: { default_role: 'admin' } }, ['bind.default_role']],
  ['TLS', { server: { ...far, tls: true } }, []],
  ['a proxy that is named', { server: { ...far, behind_proxy: true, trusted_proxies: ['192.0.2.1'] } }, []],
  ['TLS where strangers read public content', { server: { ...far, tls: true }, permissions: { default_role: 'reader', roles: { reader: { read_content: true, view_streams: true } } } }, []],
  ['everything open on purpose', { server: far, permissions: { default_role: 'admin', allow_insecure_no_auth: true } }, ['bind.default_role', 'bind.insecure']],
  ['a role header with a proof and a name', { server: { trusted_proxies: ['127.0.0.1'] }, permissions: { role_header: 'X-Weir-Role', user_header: 'X-Weir-User', proxy_secret: secret } }, []],
  ['a role header alone', { server: { trusted_proxies: ['127.0.0.1'] }, permissions: { role_header: 'X-Weir-Role' } }, ['proxy.proof', 'proxy.shared']],
  ['a role header over a Unix socket', { server: { socket_path: '/run/weir/weir.sock' }, permissions: { role_header: 'X-Weir-Role', user_header: 'Remote-User' } }, []],
  ['a role header from anywhere, with the secret', { server: { trusted_proxies: ['0.0.0.0/0'] }, permissions: { role_header: 'X-Weir-Role', user_header: 'X-User', proxy_secret: secret } }, []],
])('it starts: %s', (_name, input, warnings) => {
  expect(check(input)).toEqual(warnings);
});

test.each<[string, Input, RegExp]>([
  ['beyond loopback without TLS', { server: far }, /does not listen on 0\.0\.0\.0: it has no TLS/],
  ['any address, IPv6', { server: { address: '::' } }, /does not listen on ::/],
  ['one address of this machine', { server: { address: '192.0.2.5' } }, /does not listen on 192\.0\.2\.5/],
  ['behind a proxy that nobody named: the default list does not count', { server: { ...far, behind_proxy: true } }, /behind_proxy is set without trusted_proxies/],
  ['behind a proxy, with an empty list', { server: { ...far, behind_proxy: true, trusted_proxies: [] } }, /behind_proxy is set without trusted_proxies/],
  ['TLS where strangers may change things', { server: { ...far, tls: true }, permissions: { default_role: 'user' } }, /default_role = "user" lets strangers/],
  ['TLS where strangers may look at more than public content', { server: { ...far, tls: true }, permissions: { default_role: 'viewer' } }, /lets strangers use_account/],
  ['streamkit §2.2: a role header does not stand for authentication', { server: { ...far, trusted_proxies: ['192.0.2.1'] }, permissions: { role_header: 'X-Weir-Role' } }, /it has no TLS/],
  ['streamkit §2.2: an empty role header', { permissions: { role_header: '' } }, /name a header/],
  ['a role header from the default proxies', { permissions: { role_header: 'X-Weir-Role' } }, /set \[server\] trusted_proxies/],
  ['a user header from the default proxies', { permissions: { user_header: 'X-Weir-User' } }, /set \[server\] trusted_proxies/],
  ['a role header from everybody', { server: { trusted_proxies: ['10.0.0.1', '::/0'] }, permissions: { role_header: 'X-Weir-Role' } }, /holds every address/],
  ['one header for both', { server: { trusted_proxies: ['127.0.0.1'] }, permissions: { role_header: 'X-Who', user_header: 'x-who' } }, /two headers/],
  ...['Authorization', 'Cookie', 'Host', 'X-Forwarded-For', 'X-DFFmpeg-Client-ID', 'Signature', 'Content-Type', 'X Weir', 'X_Weir_Role', 'X:Y', 'X-Weir-Proxy-Secret', 'a'.repeat(65)]
    .map((name): [string, Input, RegExp] => [`the header ${name}`, { server: { trusted_proxies: ['127.0.0.1'] }, permissions: { role_header: name } }, /name a header|means something else/]),
  ['a short proof', { server: { trusted_proxies: ['127.0.0.1'] }, permissions: { role_header: 'X-Weir-Role', proxy_secret: 'short' } }, /proxy_secret|32/],
  ['client certificates without TLS', { server: { client_ca_path: '/ca.pem' } }, /client certificates need/],
])('it does not start: %s', (_name, input, expected) => {
  expect(() => check(input)).toThrow(expected);
});

test('the secret of the proxy is printed nowhere', () => {
  const config = Config.parse({ server: { trusted_proxies: ['127.0.0.1'] }, permissions: { role_header: 'X-Weir-Role', proxy_secret: secret } });
  expect(JSON.stringify(config)).not.toContain(secret);
  try {
    Config.parse({ permissions: { proxy_secret: `${secret}${'x'.repeat(300)}` } });
  } catch (error) {
    expect(String(error)).not.toContain(secret);
  }
});
