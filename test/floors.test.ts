/** The house stands as it is drawn, and the check that says so finds every kind of forbidden import. */
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { findFloorFaults, type FloorFinding } from '../scripts/floors.ts';

/** A small house: contracts, security on it, sdk on contracts; `planted` is one more file of security. */
async function faultsOf(planted: Readonly<Record<string, string>>): Promise<FloorFinding[]> {
  const root = await mkdtemp(path.join(tmpdir(), 'weir-floors-'));
  const files: Readonly<Record<string, string>> = {
    'contracts/package.json': JSON.stringify({ dependencies: { zod: '4' } }),
    'contracts/src/errors.ts': 'export const errors = {};\n',
    'contracts/src/internal/table.ts': 'export const table = {};\n',
    'security/package.json': JSON.stringify({ dependencies: { '@weir/contracts': '0.1.0' } }),
    'security/src/rights.ts': "import { errors } from '@weir/contracts/errors';\nimport { own } from './own.ts';\nexport { errors, own };\n",
    'security/src/own.ts': "export const own = new URL('../../contracts/assets/clip.mp4', import.meta.url);\n",
    'sdk/package.json': JSON.stringify({ dependencies: { '@weir/contracts': '0.1.0' } }),
    'sdk/src/client.ts': "export const load = () => import('@weir/contracts/errors');\n",
    ...planted,
  };
  try {
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(root, 'packages', name);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, text);
    }
    return await findFloorFaults(root);
  } finally {
    await rm(root, { recursive: true });
  }
}

test('this house stands as it is drawn', async () => {
  expect(await findFloorFaults(fileURLToPath(new URL('..', import.meta.url)))).toEqual([]);
});

test('a house in order has no faults, whatever files it points at as data', async () => {
  expect(await faultsOf({})).toEqual([]);
});

const forbidden: readonly (readonly [name: string, text: string, kind: FloorFinding['kind'], what: string])[] = [
  ['an import', "import { Client } from '@weir/sdk/client';", 'unlisted', '@weir/sdk/client'],
  ['an import of a type only', "import type { Client } from '@weir/sdk/client';", 'unlisted', '@weir/sdk/client'],
  ['a type in an expression', "export type C = typeof import('@weir/sdk/client');", 'unlisted', '@weir/sdk/client'],
  ['an import for its effect', "import '@weir/sdk/client';", 'unlisted', '@weir/sdk/client'],
  ['an export from', "export * from '@weir/sdk/client';", 'unlisted', '@weir/sdk/client'],
  ['a dynamic import', "await import('@weir/sdk/client');", 'unlisted', '@weir/sdk/client'],
  ['a dynamic import in a template', 'await import(`@weir/sdk/client`);', 'unlisted', '@weir/sdk/client'],
  ['a dynamic import that is put together', "await import('@we' + 'ir/sdk/client');", 'computed', "'@we'"],
  ['a dynamic import of a variable', 'await import(name);', 'computed', 'name'],
  ['a require', "createRequire(import.meta.url)('@weir/sdk/client');", 'unlisted', '@weir/sdk/client'],
  ['a require by another name', "const load = createRequire(import.meta.url);\nload('../../sdk/src/client.ts');", 'relative', '../../sdk/src/client.ts'],
  ['a resolution', "import.meta.resolve('@weir/sdk/client');", 'unlisted', '@weir/sdk/client'],
  ['a relative import across packages', "import { Client } from '../../sdk/src/client.ts';", 'relative', '../../sdk/src/client.ts'],
  ['a relative import of a floor below', "import { errors } from '../../contracts/src/errors.ts';", 'relative', '../../contracts/src/errors.ts'],
  ['a deep import past the exports', "import { errors } from '@weir/contracts/src/errors.ts';", 'past-exports', '@weir/contracts/src/errors.ts'],
  ['an import of internals', "import { table } from '@weir/contracts/internal/table';", 'past-exports', '@weir/contracts/internal/table'],
  ['an import of a whole floor', "import * as all from '@weir/contracts';", 'past-exports', '@weir/contracts'],
];

test.each(forbidden)('%s is found', async (_name, text, kind, what) => {
  const faults = await faultsOf({ 'security/src/planted.ts': `// planted\n${text}\n` });
  expect(faults.map((fault) => fault.kind)).toContain(kind);
  expect(faults.every(({ where }) => where.startsWith('packages/security/src/planted.ts:'))).toBe(true);
  expect(faults.map((fault) => fault.what).join('\n')).toContain(what);
});

test('a manifest that lists a floor above, or a floor that nobody drew, is found', async () => {
  const above = await faultsOf({ 'contracts/package.json': JSON.stringify({ dependencies: { '@weir/security': '0.1.0' } }) });
  expect(above).toEqual([{ kind: 'drawing', where: 'packages/contracts/package.json', what: 'contracts may not stand on security' }]);
  const unknown = await faultsOf({ 'attic/package.json': '{}' });
  expect(unknown).toMatchObject([{ kind: 'drawing', where: 'packages/attic/package.json' }]);
});

test('tests share the test support of a floor below, and nothing else of it', async () => {
  const importing = (target: string) => ({ 'security/test/a.test.ts': `import { x } from '${target}';\n`, 'contracts/test/support/x.ts': '', 'contracts/test/y.ts': '' });
  expect(await faultsOf(importing('../../contracts/test/support/x.ts'))).toEqual([]);
  expect(await faultsOf(importing('../../contracts/test/y.ts'))).toHaveLength(1);
  expect(await faultsOf(importing('../../sdk/test/support/x.ts'))).toHaveLength(1);
});
