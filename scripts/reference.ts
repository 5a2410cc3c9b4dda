/** Writes the reference pages from what the product itself declares: settings, routes, errors, recipes. A test holds them current. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { errors } from '../packages/contracts/src/errors.ts';
import { recipes } from '../packages/fleet/src/recipes/index.ts';
import { actions, type Action } from '../packages/security/src/actions.ts';
import { defaultRateLimits } from '../packages/security/src/rate-limits.ts';
import { configJsonSchema } from '../packages/server/src/config/print.ts';
import { allRoutes } from '../packages/server/src/http-server.ts';
import type { AnyRoute } from '../packages/server/src/route.ts';
import { constraints, fieldsOf, shapeOf, type JsonSchema } from './json-schema-text.ts';

const generated = '<!-- Written by scripts/reference.ts from the sources; change those and run `node scripts/reference.ts`. -->';

/** Every generated page by its path below `docs/reference`. */
export function referencePages(): ReadonlyMap<string, string> {
  return new Map([
    ['configuration.md', configurationPage()],
    ['api.md', apiPage()],
    ['errors.md', errorsPage()],
    ['recipes.md', recipesPage()],
  ]);
}

function page(title: string, ...parts: readonly string[]): string {
  return `# ${title}\n\n${generated}\n\n${parts.join('\n\n')}\n`;
}

function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
}

function configurationPage(): string {
  return page('Configuration', [
    'Weir reads one file: `--config`, else `WEIR_CONFIG`, else `./weir.toml`, else `~/.config/weir/weir.toml`, else `/etc/weir/weir.toml`. A flag wins over the',
    'environment, the environment over the file, the file over the default. `weir config default` prints a complete commented file, `weir config schema` the JSON Schema,',
    '`weir config check` says what is refused, with line and column. A setting that nobody knows is refused, with the nearest name.',
  ].join('\n'),
  'Every setting has a variable: `[server] port` is `WEIR_SERVER__PORT`; with `_FILE` at the end, the variable names a file that holds the value. A list may be written `a,b`.',
  ...sections(configJsonSchema() as JsonSchema, []));
}

function sections(schema: JsonSchema, at: readonly string[]): string[] {
  const fields = fieldsOf(schema);
  const settings = fields.filter(({ schema: field }) => fieldsOf(field).length === 0);
  const own = settings.length === 0 ? [] : [`## [${at.join('.')}]\n\n${table(['setting', 'default', 'what', 'form'], settings.map(({ name, schema: field }) =>
    [`\`${name}\``, field.default === undefined ? '' : `\`${JSON.stringify(field.default)}\``, field.description ?? '', settingForm(field)]))}`];
  return [...own, ...fields.flatMap(({ name, schema: field }) => sections(field, [...at, name]))];
}

/** Roles and rate limits are tables of their own; the fields of one entry are said once. */
function settingForm(field: JsonSchema): string {
  const items = field.items === undefined ? [] : fieldsOf(field.items).map(({ name }) => `\`${name}\``);
  if (items.length > 0) return `a list of tables with ${items.join(', ')}`;
  const entry = typeof field.additionalProperties === 'object' ? field.additionalProperties : undefined;
  if (entry === undefined) return constraints(field);
  const fields = fieldsOf(entry).map(({ name }) => `\`${name}\``);
  return fields.length > 12 ? `a table of tables; in each, \`inherits\`, a boolean for each permission, and lists: ${fields.filter((name) => name.startsWith('`allowed_')).join(', ')}` : `a table of tables with ${fields.join(', ')}`;
}

function apiPage(): string {
  const limits = Object.entries(defaultRateLimits).map(([name, { limit, periodSeconds }]) => [`\`${name}\``, String(limit), String(periodSeconds)]);
  const areas = Map.groupBy(allRoutes, ({ declaration }) => areaOf(declaration.path));
  return page('HTTP API', [
    'Bodies and replies are JSON in `snake_case` unless a route says otherwise; ids are ULIDs, times RFC 3339 in UTC with milliseconds, sizes bytes, durations seconds.',
    'Lists are `{ items, next_cursor }`; the cursor goes back as `?cursor=`. Every error has one form, `{ "error": { "code", "message", "request_id" } }`; its codes are in [errors](errors.md).',
  ].join('\n'), [
    'Who you are is said by one of: `Authorization: Bearer TOKEN`, the session cookie of a signed-in browser, a request signature (profile `dffmpeg`, or RFC 9421 HTTP message signatures),',
    '`?grant=` in the address of one content, or a one-time `?ticket=` where no header can be sent. Every route names its action; which role may do which is [a reviewed table](../security/access.csv) that a test executes against the server.',
  ].join('\n'),
  `Named rate limits, per principal (per address without one); \`[streaming_security.rate_limits]\` changes them:\n\n${table(['limit', 'requests', 'seconds'], limits)}`,
  ...[...areas].map(([area, routes]) => `## ${area}\n\n${routes.map(routeText).join('\n\n')}`));
}

function areaOf(route: string): string {
  const [first = '', second = ''] = route.replace(/^\/api\/v1\//, '').split('/').filter((part) => part !== '');
  if (route.startsWith('/auth/')) return 'sign-in';
  return first.startsWith('.') ? second.replace('.json', '') : first;
}

function routeText({ declaration }: AnyRoute): string {
  const { method, path: route, action, summary, parameters, query, body, reply, status, limit } = declaration;
  const rows = [
    ['action', `\`${action}\`: ${needs(actions[action])}`],
    ...(limit === undefined ? [] : [['limit', `\`${limit}\``]]),
    ...(parameters === undefined ? [] : [['in the address', shapeCode(parameters, 'input')]]),
    ...(query === undefined ? [] : [['query', shapeCode(query, 'input')]]),
    ...(body === undefined ? [] : [['body', body === 'stream' ? 'bytes' : shapeCode(body, 'input')]]),
    ['reply', reply === undefined ? '`204`' : `\`${status ?? 200}\` ${reply === 'stream' ? 'a stream' : shapeCode(reply, 'output')}`],
  ];
  return `### ${method} ${route.replaceAll(/:(\w+)/g, '{$1}')}\n\n${summary}.\n\n${rows.map(([name, value]) => `- ${name}: ${value}`).join('\n')}`;
}

function shapeCode(schema: { toJSONSchema: (options: { io: 'input' | 'output'; unrepresentable: 'any' }) => unknown }, io: 'input' | 'output'): string {
  return code(shapeOf(schema.toJSONSchema({ io, unrepresentable: 'any' }) as JsonSchema));
}

function code(text: string): string {
  return `\`${text}\``;
}

function needs(action: Action): string {
  const permission = action.permissions.map(code).join(' or ');
  const who = action.anonymous === true ? 'anyone' : permission === '' ? 'any signed-in principal' : `needs ${permission}`;
  return [
    who, ...(action.policy === true ? ['then the policy of the content decides, also for callers without evidence'] : []),
    ...(action.leased === true ? ['or the lease of the job'] : []), ...(action.all === undefined ? [] : [`${code(action.all)} reaches other owners’ objects`]),
  ].join('; ');
}

function errorsPage(): string {
  return page('Errors', 'One table gives the HTTP status, the WebSocket close code, the exit code of the command line, and the sentence, which a case may make more exact.',
    table(['code', 'HTTP', 'WebSocket', 'exit', 'what it says'], Object.entries(errors).map(([name, { status, close, exit, text }]) => [code(name), String(status), String(close), String(exit), text])),
    'Exit codes: 0 done, 1 failed, 2 usage, 3 refused, 4 not found, 5 unreachable, 130 interrupted.');
}

function recipesPage(): string {
  return page('Recipes', 'A recipe is a job template with typed parameters. `GET /api/v1/recipes` gives the same with JSON Schemas; a job names one as `"recipe"` with `"parameters"`.',
    ...recipes.map(({ message }) => {
      const fields = fieldsOf(message.parameters as JsonSchema).map(({ name, schema }) =>
        [code(name), schema.default === undefined ? '' : code(JSON.stringify(schema.default)), schema.description ?? '', constraints(schema)]);
      const outputs = message.outputs.length === 0 ? 'no output; its result is the probe' : message.outputs.map(code).join(', ');
      return [`## ${message.recipe}`, `${message.title}. ${message.description}`, `Outputs: ${outputs}.`, ...(fields.length === 0 ? ['No parameters.'] : [table(['parameter', 'default', 'what', 'form'], fields)])].join('\n\n');
    }));
}

if (import.meta.main) {
  const folder = fileURLToPath(new URL('../docs/reference', import.meta.url));
  await mkdir(folder, { recursive: true });
  for (const [name, text] of referencePages()) await writeFile(path.join(folder, name), text);
}
