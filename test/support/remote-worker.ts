/** A worker on a machine of its own: joins by the invitation on its standard input, then works until it is killed. Arguments: name, home. */
import { createInterface } from 'node:readline';
import { joinWorker } from '../../packages/fleet/src/worker/join.ts';
import { runWorker } from '../../packages/fleet/src/worker/main.ts';
import { openMediaRunner } from '../../packages/fleet/src/worker/media-runner.ts';
import { readProfile } from '../../packages/fleet/src/worker/profile.ts';

const [, , name = '', home = ''] = process.argv;
const lines = createInterface({ input: process.stdin });
const link = await new Promise<string>((resolve) => { lines.once('line', resolve); });
const { address, credentials } = await readProfile(await joinWorker(link, name, home));
const never = new AbortController().signal;
await runWorker({
  ...address, name, credentials, slots: 1, scratch: `${home}/scratch`, ...await openMediaRunner(), onEvent: (line) => process.stderr.write(`${line}\n`),
}, { drain: never, stop: never });
