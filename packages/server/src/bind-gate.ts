/** Whether the server may listen where it is told to: beyond loopback only with TLS and without powers for strangers. */
import { WeirError } from '@weir/contracts/errors';
import { compileNetworks } from '@weir/security/networks';
import type { Role } from '@weir/security/roles';
import type { Warning } from './app.ts';
import type { Config } from './config/schema.ts';

const loopback = compileNetworks(['127.0.0.0/8', '::1']);
/** What a default role may hold where strangers can reach the server. */
const harmless: ReadonlySet<string> = new Set(['read_content', 'view_streams']);

/** Refuses with `config.invalid` what would open the house; returns what is open on purpose. */
export function checkBind(config: Config, roles: ReadonlyMap<string, Role>): Warning[] {
  const { address, tls, behind_proxy: behindProxy, trusted_proxies: proxies } = config.server;
  const { default_role: defaultRole, allow_insecure_no_auth: allowed } = config.permissions;
  if (!config.streaming_security.enabled && !(loopback.contains(address) && allowed)) {
    throw new WeirError('config.invalid', '[streaming_security] enabled = false is refused: remove it. On a loopback address it works together with [permissions] allow_insecure_no_auth = true.');
  }
  const strangerMay = [...(roles.get(defaultRole)?.permissions ?? [])].filter((permission) => !harmless.has(permission));
  const warnings: Warning[] = [];
  if (strangerMay.length > 0) {
    warnings.push({ code: 'bind.default_role', message: `Requests without evidence act as "${defaultRole}".`, next_step: 'Set [permissions] default_role = "none" before anybody else can reach this server.' });
  }
  if (loopback.contains(address)) return warnings;
  const problems = [
    ...(tls || behindProxy ? [] : ['it has no TLS: set [server] tls = true, or behind_proxy = true with the proxy in trusted_proxies']),
    ...(behindProxy && proxies.length === 0 ? ['behind_proxy is set without trusted_proxies'] : []),
    ...(strangerMay.length > 0 ? [`[permissions] default_role = "${defaultRole}" lets strangers ${strangerMay.slice(0, 3).join(', ')}`] : []),
  ];
  if (problems.length === 0) return warnings;
  if (!allowed) throw new WeirError('config.invalid', `Weir does not listen on ${address}: ${problems.join('; and ')}. To do so all the same, set [permissions] allow_insecure_no_auth = true.`);
  return [...warnings, { code: 'bind.insecure', message: `Listening on ${address} although ${problems.join('; and ')}.`, next_step: 'Put this server behind TLS and remove allow_insecure_no_auth.' }];
}
