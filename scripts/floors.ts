/** Holds the drawing of the house: which floor stands on which, and that nothing reaches past it. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The drawing. A floor may use those named here and whatever they stand on. */
export const standsOn: Readonly<Record<string, readonly string[]>> = {
  contracts: [],
  security: ['contracts'],
  data: ['security'],
  content: ['data'],
  credentials: ['data'],
  backends: ['content', 'credentials'],
  pipeline: ['backends'],
  fleet: ['backends'],
  delivery: ['backends'],
  server: ['pipeline', 'fleet', 'delivery'],
  sdk: ['contracts'],
  web: ['sdk'],
  cli: ['server', 'fleet', 'sdk'],
};

export type FloorFinding = Readonly<{
  /** `drawing`: the manifest lists a floor that is not below. The others are about one line of a source file. */
  kind: 'drawing' | 'unlisted' | 'relative' | 'past-exports' | 'computed';
  where: string;
  what: string;
}>;

type Floor = Readonly<{ name: string; folder: string; listed: ReadonlySet<string> }>;

const scope = '@weir/';
const sourceFolders = ['src', 'test', 'bench'];
const code = /\.(?:ts|tsx|js|mjs|cjs)$/;

/** Everything that breaks the drawing under `root/packages`; an empty list is a house in order. */
export async function findFloorFaults(root: string): Promise<FloorFinding[]> {
  const names = (await readdir(path.join(root, 'packages'), { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const floors = await Promise.all(names.map((name) => readFloor(root, name)));
  const perFloor = await Promise.all(floors.map(async (floor) => [...faultsOfManifest(floor), ...await faultsOfSources(root, floor)]));
  return perFloor.flat();
}

async function readFloor(root: string, name: string): Promise<Floor> {
  const folder = path.join(root, 'packages', name);
  const manifest: unknown = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
  const dependencies = typeof manifest === 'object' && manifest !== null && 'dependencies' in manifest ? manifest.dependencies : undefined;
  const listed = Object.keys(dependencies ?? {}).filter((dependency) => dependency.startsWith(scope)).map((dependency) => dependency.slice(scope.length));
  return { name, folder, listed: new Set(listed) };
}

function faultsOfManifest({ name, listed }: Floor): FloorFinding[] {
  const where = `packages/${name}/package.json`;
  if (!Object.hasOwn(standsOn, name)) return [{ kind: 'drawing', where, what: `${name} is not in the drawing (scripts/floors.ts)` }];
  const below = everythingBelow(name);
  return [...listed].filter((floor) => !below.has(floor)).map((floor) => ({ kind: 'drawing', where, what: `${name} may not stand on ${floor}` }));
}

function everythingBelow(name: string): ReadonlySet<string> {
  const direct = standsOn[name] ?? [];
  return new Set(direct.flatMap((floor) => [floor, ...everythingBelow(floor)]));
}

async function faultsOfSources(root: string, floor: Floor): Promise<FloorFinding[]> {
  const folders = sourceFolders.map((folder) => path.join(floor.folder, folder)).filter((folder) => existsSync(folder));
  const listings = await Promise.all(folders.map((folder) => readdir(folder, { recursive: true, withFileTypes: true })));
  const files = listings.flat().filter((entry) => entry.isFile() && code.test(entry.name)).map((entry) => path.join(entry.parentPath, entry.name));
  const perFile = await Promise.all(files.map(async (file) => faultsOfText(root, floor, file, await readFile(file, 'utf8'))));
  return perFile.flat();
}

/**
 * A string that names a floor is a use of it, whatever stands around it: `import`, `export … from`, `import type`, `import()`, `require`,
 * `import.meta.resolve`. What is not a plain string can't be judged, so computed imports are refused.
 */
function faultsOfText(root: string, floor: Floor, file: string, text: string): FloorFinding[] {
  const where = (index: number): string => `${path.relative(root, file)}:${text.slice(0, index).split('\n').length}`;
  const named = [...text.matchAll(/(['"`])((?:@weir\/|\.\.?\/)[^'"`\n]*)\1/g)].flatMap(({ index, 2: target = '' }) =>
    (target.startsWith(scope) ? faultOfFloorName(root, floor, target) : faultOfPath(root, floor, file, target)).map((fault) => ({ ...fault, where: where(index) })));
  const computed = [...text.matchAll(/\b(?:import|require)\(\s*(?!['"][^'"]*['"]\s*[,)])(?!\s*\))(\S.{0,40})/g)]
    .map(({ index, 1: what = '' }): FloorFinding => ({ kind: 'computed', where: where(index), what: `an import is a plain string, not ${what}` }));
  return [...named, ...computed];
}

type Fault = Pick<FloorFinding, 'kind' | 'what'>;

function faultOfFloorName(root: string, floor: Floor, target: string): Fault[] {
  const [name = '', ...room] = target.slice(scope.length).split('/');
  const faults: Fault[] = [];
  if (name !== floor.name && !floor.listed.has(name)) faults.push({ kind: 'unlisted', what: `${target}: packages/${floor.name}/package.json does not list ${scope}${name}` });
  const isRoom = room.length > 0 && room[0] !== 'internal' && existsSync(path.join(root, 'packages', name, 'src', `${room.join('/')}.ts`));
  if (!isRoom) faults.push({ kind: 'past-exports', what: `${target}: ${scope}${name} exports only its rooms, src/*.ts, by name` });
  return faults;
}

/** Tests may share the test support of a floor below; nothing else is reached but by name. */
function faultOfPath(root: string, floor: Floor, file: string, target: string): Fault[] {
  const packages = path.join(root, 'packages');
  const [name = '', ...inside] = path.relative(packages, path.resolve(path.dirname(file), target)).split(path.sep);
  if (name === '..' || name === floor.name || !code.test(target)) return [];
  const isTest = file.startsWith(path.join(floor.folder, 'test'));
  if (isTest && floor.listed.has(name) && inside[0] === 'test' && inside[1] === 'support') return [];
  return [{ kind: 'relative', what: `${target} leaves the package; import it by name` }];
}

if (import.meta.main) {
  const faults = await findFloorFaults(fileURLToPath(new URL('..', import.meta.url)));
  for (const { kind, where, what } of faults) console.log(`${where}: ${what} (${kind})`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
