/** The `weir` command: runs what was typed and ends with the exit code of the error table. */
import { runCommandLine } from './application.ts';

// A reader that closes early (`weir ls | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runCommandLine(process.argv.slice(2), { process, environment: process.env });
