/** Whether the server may listen where it is told to: beyond loopback only with TLS and without powers for strangers. */
import { WeirError } from '@weir/contracts/errors';
import { compileNetworks } from '@weir/security/networks';
import type { Role } from '@weir/security/roles';
import type { Warning } from './app.ts';
import type { Config } from './config/schema.ts';
import { proxyHeaders, type ProxyHeaders } from './proxy-claim.ts';

const loopback = compileNetworks(['127.0.0.0/8', '::1']);
/** What a default role may hold where strangers can reach the server. */
const harmless: ReadonlySet<string> = new Set(['read_content', 'view_streams']);

/** Refuses with `config.invalid` what would open the house; returns what is open on purpose. */
export function checkBind(config: Config, roles: ReadonlyMap<string, Role>): Warning[] {
  const { address, tls, behind_proxy: behindProxy, trusted_proxies: proxies } = config.server;
  const { default_role: defaultRole, allow_insecure_no_auth: allowed } = config.permissions;
  const headers = proxyHeaders(config);
  if (!config.streaming_security.enabled && !(loopback.contains(address) && allowed)) {
    throw new WeirError('config.invalid', '[streaming_security] enabled = false is refused: remove it. On a loopback address it works together with [permissions] allow_insecure_no_auth = true.');
  }
  const strangerMay = [...(roles.get(defaultRole)?.permissions ?? [])].filter((permission) => !harmless.has(permission));
  const warnings: Warning[] = headers === undefined ? [] : proxyWarnings(config, headers);
  if (strangerMay.length > 0) {
    warnings.push({ code: 'bind.default_role', message: `Requests without evidence act as "${defaultRole}".`, next_step: 'Set [permissions] default_role = "none" before anybody else can reach this server.' });
  }
  if (loopback.contains(address)) return warnings;
  const problems = [
    ...(tls || behindProxy ? [] : ['it has no TLS: set [server] tls = true, or behind_proxy = true with the proxy in trusted_proxies']),
    ...(behindProxy && (proxies ?? []).length === 0 ? ['behind_proxy is set without trusted_proxies = ["…"], the addresses of the proxy'] : []),
    ...(strangerMay.length > 0 ? [`[permissions] default_role = "${defaultRole}" lets strangers ${strangerMay.slice(0, 3).join(', ')}`] : []),
  ];
  if (problems.length === 0) return warnings;
  if (!allowed) throw new WeirError('config.invalid', `Weir does not listen on ${address}: ${problems.join('; and ')}. To do so all the same, set [permissions] allow_insecure_no_auth = true.`);
  return [...warnings, { code: 'bind.insecure', message: `Listening on ${address} although ${problems.join('; and ')}.`, next_step: 'Put this server behind TLS and remove allow_insecure_no_auth.' }];
}

/** What a header can't make certain by itself. Refuses one that everybody could send. */
function proxyWarnings({ server, permissions }: Config, { secret, wantsCertificate }: ProxyHeaders): Warning[] {
  const name = permissions.role_header ?? permissions.user_header ?? '';
  const proven = secret !== undefined || wantsCertificate;
  if (!proven && server.trusted_proxies?.some((network) => network.endsWith('/0')) === true) {
    throw new WeirError('config.invalid', `[server] trusted_proxies holds every address, so everybody could send ${name}: name the proxy alone, or set [permissions] proxy_secret.`);
  }
  return [
    ...(proven || server.trusted_proxies === undefined ? [] : [{
      code: 'proxy.proof', message: `Whoever can connect from ${server.trusted_proxies.join(', ')} can name any role or principal in ${name}.`,
      next_step: 'Set [permissions] proxy_secret and let the proxy send it in X-Weir-Proxy-Secret, or listen on [server] socket_path, or ask for its certificate with client_ca_path.',
    }]),
    ...(permissions.user_header !== undefined ? [] : [{
      code: 'proxy.shared', message: 'Everyone to whom the proxy gives a role shares one principal (proxy:ROLE), and so all that it owns.',
      next_step: 'Set [permissions] user_header and let the proxy name the principal.',
    }]),
  ];
}
