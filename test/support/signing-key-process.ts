/** Prints the key that signs the access tokens of a test's server, so that a test can sign what no server would. */
import { exportTokenKey } from '../../packages/security/src/token-keys.ts';
import { loadConfig } from '../../packages/server/src/config/load.ts';
import { openInstance } from '../../packages/server/src/instance.ts';

const { config } = loadConfig({ environment: process.env });
await using instance = await openInstance({ config, environment: process.env, create: false });
const { signing } = instance.signing.access;
process.stdout.write(JSON.stringify({ kid: signing.id, audience: instance.tokenAudience, pkcs8: exportTokenKey(signing).toString('base64') }));
