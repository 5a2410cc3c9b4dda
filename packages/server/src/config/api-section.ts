/** `[api] host, port`, as other programs' configurations have it: the same as `[server] address, port`, once for each source of settings. */
import { WeirError } from '@weir/contracts/errors';

type Tree = Readonly<{ [key: string]: unknown }>;
const places = [['host', 'address'], ['port', 'port']] as const;

/** `tree` with what `[api]` says under `[server]`. `config.invalid` where both say something, and not the same; `where` names the line. */
export function withApiSection(tree: Tree, where: (path: readonly string[]) => string): { [key: string]: unknown } {
  const { api } = tree;
  if (!isTree(api)) return { ...tree };
  const server = isTree(tree['server']) ? { ...tree['server'] } : {};
  for (const [theirs, ours] of places) {
    const said = api[theirs] === 'localhost' ? '127.0.0.1' : api[theirs];
    if (said === undefined) continue;
    if (server[ours] !== undefined && server[ours] !== said) {
      throw new WeirError('config.invalid', `${where(['api', theirs])}[api] ${theirs} and [server] ${ours} say different things; remove one of them.`);
    }
    server[ours] = said;
  }
  return { ...tree, server };
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
