/** Runs one server for a test: settings from the environment, its address as one line of JSON on standard output. */
import { loadConfig } from '../../packages/server/src/config/load.ts';
import { serve } from '../../packages/server/src/serve.ts';

const { config, warnings } = loadConfig({ environment: process.env });
const running = await serve({ config, configWarnings: warnings, environment: process.env, builtInWorker: process.env['TEST_BUILT_IN_WORKER'] === '1' });
process.stdout.write(`${JSON.stringify({ url: running.url, signInLink: running.signInLink, instance: running.instanceId, fingerprint: running.fingerprint ?? null })}\n`);
process.once('SIGTERM', () => { void running[Symbol.asyncDispose]().then(() => process.exit(0)); });
// The test that started this server is gone: nobody would stop it.
process.stdin.resume().once('end', () => process.exit(0));
