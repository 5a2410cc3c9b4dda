/** A yes-or-no question on the terminal. */
import { createInterface } from 'node:readline/promises';
import type { Context } from '../context.ts';

/** Undefined where nobody could answer. An empty answer is yes. */
export function askOn({ stdin, process, signal }: Context): ((question: string) => Promise<boolean>) | undefined {
  if (stdin.isTTY !== true || process.stderr.isTTY !== true) return undefined;
  return async (question) => {
    const lines = createInterface({ input: stdin, output: process.stderr });
    try {
      return /^(y|yes|)$/i.test((await lines.question(`${question} [Y/n] `, { signal })).trim());
    } finally {
      lines.close();
    }
  };
}
