/** `weir up` and `weir serve`: start a server, say where it is, and stop it when asked. */
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { WeirError } from '@weir/contracts/errors';
import { loadConfig, type Loaded } from '@weir/server/config/load';
import { enterService, isRoot, prepareService, serverStart } from '@weir/server/privileges';
import type { RunningServer } from '@weir/server/serve';
import { note, print, type Context } from '../context.ts';
import { exitCodes } from '../failure.ts';
import { watchLifetime } from '../lifetime.ts';
import { askOn } from '../terminal/ask.ts';
import { openBrowser } from '../terminal/browser.ts';
import { thisCommand } from './enter.ts';
import { greeting } from './greeting.ts';

export type ServeFlags = Readonly<{ data?: string; config?: string; port?: number; address?: string }>;
export type UpFlags = ServeFlags & Readonly<{ open: boolean }>;

const healthWithinMs = 10_000;

/** Prepares what is missing (system packages, web page, folders), starts, and shows the way in. */
export async function up(this: Context, flags: UpFlags): Promise<void> {
  const { environment } = this;
  // A person reads along here: the log keeps to what needs attention, unless more was asked for.
  const loaded = load(this, flags, { log: { level: 'warn' } });
  if (environment['WEIR_SERVICE'] !== '1') await prepare(this, loaded);
  await run(this, flags, loaded, async (server) => {
    print(this, greeting(server, loaded.config, environment));
    if (flags.open) await openBrowser(this, server);
  });
}

/** The same for service managers: nothing is installed or built, the ready line is all that it prints, and what is not safe stands in its log. */
export async function serve(this: Context, flags: ServeFlags): Promise<void> {
  await run(this, flags, load(this, flags, {}), async ({ app, warnings }) => {
    for (const { code, message, next_step: nextStep } of warnings) app.log.warn({ code }, `${message} ${nextStep}`);
  });
}

const load = ({ environment }: Context, flags: ServeFlags, defaults: Parameters<typeof loadConfig>[0]['defaults'] & object): Loaded =>
  loadConfig({ file: flags.config, environment, defaults, flags: { server: { port: flags.port, address: flags.address } } });

async function prepare(context: Context, { config }: Loaded): Promise<void> {
  const say = (line: string): void => note(context, line);
  const { offerSystemPackages } = await import('@weir/server/system-packages');
  if (config.fleet.enabled) await offerSystemPackages({ environment: context.environment, isRoot: isRoot(), ask: askOn(context), say });
  const { buildWebPage } = await import('@weir/server/web-build');
  await buildWebPage(say);
}

async function run(context: Context, flags: ServeFlags, { config, file, warnings }: Loaded, welcome: (server: RunningServer) => Promise<void>): Promise<void> {
  const { environment } = context;
  const start = serverStart({ config, configFile: file, dataFlag: flags.data }, environment, thisCommand());
  prepareService(start);
  enterService(start);
  const { drain, stop } = watchLifetime(environment);
  stop.addEventListener('abort', () => process.exit(exitCodes.interrupted));
  const { serve: startServer } = await import('@weir/server/serve');
  await using server = await startServer({ config, configWarnings: warnings, dataFlag: flags.data, environment, builtInWorker: config.fleet.enabled && config.fleet.built_in_worker });
  await healthy(server, config.server.public_url === undefined ? server.url : listener(config.server));
  print(context, `ready ${server.url}`);
  await welcome(server);
  if (!drain.aborted) await once(drain, 'abort');
  note(context, 'Stopping …');
}

type Listener = Readonly<{ address: string; port: number; tls: boolean }>;

/** Where it listens, when links are made with another address. */
function listener({ address, port, tls }: Listener): string {
  const host = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
  return `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Asks as a load balancer would. The certificate is its own, and nothing secret is sent: it is not verified here. */
async function healthy({ url }: RunningServer, origin: string): Promise<void> {
  const target = new URL('/healthz', origin);
  const options = { timeout: healthWithinMs, agent: false, rejectUnauthorized: false } as const;
  const request = target.protocol === 'https:' ? https.get(target, options) : http.get(target, options);
  request.once('timeout', () => request.destroy(new Error('It did not answer in time.')));
  try {
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject);
    });
    response.resume();
    if (response.statusCode !== 200) throw new Error(`It answered ${response.statusCode}.`);
  } catch (cause) {
    throw new WeirError('server.unreachable', `The server started, but ${url} does not answer to /healthz; see its log above.`, { cause });
  }
}
