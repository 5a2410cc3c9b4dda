/** The `weir` command: parses, runs one command, and ends with the exit code of the error table. */
import { runCommandLine } from './application.ts';

await runCommandLine(process.argv.slice(2));
