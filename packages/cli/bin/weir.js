#!/usr/bin/env node
// Starts Weir on a Node that can run it: this one when it is new enough, else the runtime installed beside it. Plain ES2020, for any Node >= 18.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const oldest = [24, 10];
const main = new URL('../src/main.ts', import.meta.url);
const longRunning = ['up', 'serve', 'worker'];
const parentPollMs = 500;
/** EX_CONFIG of sysexits(3). */
const noRuntime = 78;

const [major, minor] = process.versions.node.split('.').map(Number);
if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) await import(main.href);
else runOn(bundledRuntime());

function bundledRuntime() {
  try {
    return createRequire(import.meta.url).resolve(`node-${process.platform}-${process.arch}/bin/node`);
  } catch {
    process.stderr.write(
      `weir: needs Node ${oldest.join('.')} or newer; this is ${process.version}, and no runtime for ${process.platform}-${process.arch} was installed with Weir.\n`
      + 'Install Node 24, or run `npm ci` again without --omit=optional.\n',
    );
    process.exit(noRuntime);
  }
}

function runOn(runtime) {
  const child = spawn(runtime, [...process.execArgv, fileURLToPath(main), ...process.argv.slice(2)], {
    stdio: 'inherit', env: { ...process.env, WEIR_PARENT: String(process.pid) },
  });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  if (longRunning.includes(process.argv[2])) stopWithParent(child);
  child.on('error', (error) => {
    process.stderr.write(`weir: ${runtime} does not start (${error.message}). Install Node 24, or run \`npm ci\` again.\n`);
    process.exit(noRuntime);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** npm and sh do not hand signals on: when they are gone, nothing started by them may stay. */
function stopWithParent(child) {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    child.kill('SIGTERM');
  }, parentPollMs);
  timer.unref();
}
