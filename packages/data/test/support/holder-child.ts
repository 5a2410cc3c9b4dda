/** Holds a data directory until it is killed. */
import { openDataDirectory } from '../../src/data-directory.ts';

const directory = await openDataDirectory(process.argv[2] ?? '');
await directory.announce('http://127.0.0.1:4545');
process.stdout.write('held\n');
setInterval(() => undefined, 60_000);
