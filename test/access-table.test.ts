/** Every route, for every role, on own and foreign objects, against access.csv and nothing else; and a refused call changes nothing. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { allRoutes } from '../packages/server/src/http-server.ts';
import { doors, type Case, type Whose } from './support/doors.ts';
import { send, type RawRequest } from './support/raw-http.ts';
import { StoredState } from './support/state.ts';
import { upgradeStatus } from './support/held-job.ts';
import { buildWorld, roles, type Caller, type RoleColumn, type World } from './support/world.ts';

const reviewed = await readFile(new URL('access.csv', import.meta.url), 'utf8');
const table = readTable(reviewed);
let world: World;
let state: StoredState;

beforeAll(async () => {
  world = await buildWorld();
  state = new StoredState(world.weir.dataPath);
});
afterAll(async () => {
  state[Symbol.dispose]();
  await world[Symbol.asyncDispose]();
});

test('the published table is the reviewed one', async () => {
  expect(await readFile(new URL('../docs/security/access.csv', import.meta.url), 'utf8')).toBe(reviewed);
});

test('every route has a row of the table and a case here, and rows that no route has yet are listed', () => {
  const reached = new Set(allRoutes.map(({ declaration }) => declaration.action as string));
  for (const { declaration } of allRoutes) {
    expect(table.has(declaration.action), `${declaration.method} ${declaration.path} has no row for ${declaration.action}`).toBe(true);
    expect(Object.hasOwn(doors, `${declaration.method} ${declaration.path}`), `${declaration.method} ${declaration.path} has no case`).toBe(true);
  }
  for (const cases of Object.values(doors)) for (const { action } of cases) reached.add(action);
  for (const action of reached) expect(table.has(action), `no row for ${action}`).toBe(true);
  console.log(`rows without a route: ${[...table.keys()].filter((action) => !reached.has(action)).join(', ')}`);
});

test.each(Object.keys(doors))('%s', async (door) => {
  const wrong: string[] = [];
  for (const entry of doors[door] ?? []) {
    for (const role of roles) {
      const caller = world.caller(role);
      if (entry.only !== undefined && !entry.only.includes(role)) continue;
      const allowed = isAllowed(cellOf(entry.action, role), entry.whose, role);
      const { status, changed } = await ask(entry, caller);
      // Being sent on, and a provider that is down (502), come after the decision.
      const outcome = status === 101 || status === 303 || status === 502 || (status >= 200 && status < 300) ? true : [401, 403, 404].includes(status) ? false : undefined;
      if (outcome !== allowed) wrong.push(`${entry.action} (${entry.whose}) as ${role}: ${status}, but the table says ${cellOf(entry.action, role)}`);
      if (outcome === false && changed) wrong.push(`${entry.action} (${entry.whose}) as ${role}: refused with ${status}, and yet something changed`);
    }
  }
  expect(wrong).toEqual([]);
});

async function ask(entry: Case, caller: Caller): Promise<{ status: number; changed: boolean }> {
  const request = await entry.request(world, caller);
  const before = state.digest();
  const status = await statusOf(request);
  const isRefused = status >= 400;
  return { status, changed: isRefused && state.digest() !== before };
}

async function statusOf(request: RawRequest & { upgrade?: boolean }): Promise<number> {
  if (request.upgrade === true) return upgradeStatus(world.weir.url, request.target, { ...request.headers } as Record<string, string>);
  return (await send(world.weir.url, { ...request, agent: world.agent })).status;
}

type Cell = 'yes' | 'no' | 'own' | 'any' | 'policy' | 'leased';

/** `policy`: what the rights model says of the four kinds of content that the cases name. */
function isAllowed(cell: Cell, whose: Whose, role: RoleColumn): boolean {
  switch (cell) {
    case 'yes': case 'any': return true;
    case 'no': return false;
    case 'own': return whose === 'owner';
    case 'leased': return whose === 'leased';
    case 'policy': return whose === 'public' || whose === 'granted' || (role !== 'none' && (whose === 'owner' || whose === 'protected'));
  }
}

function cellOf(action: string, role: RoleColumn): Cell {
  const cell = table.get(action)?.get(role);
  if (cell === undefined) throw new Error(`access.csv does not say whether ${role} may ${action}`);
  return cell;
}

function readTable(text: string): ReadonlyMap<string, ReadonlyMap<string, Cell>> {
  const [head = '', ...lines] = text.trim().split('\n');
  const columns = head.split(',');
  return new Map(lines.map((line) => {
    const cells = line.split(',');
    return [cells[0] ?? '', new Map(columns.slice(2).map((column, index) => [column, readCell(cells[index + 2])]))];
  }));
}

function readCell(text: string | undefined): Cell {
  if (text === 'yes' || text === 'no' || text === 'own' || text === 'any' || text === 'policy' || text === 'leased') return text;
  throw new Error(`access.csv has the cell ${String(text)}`);
}
