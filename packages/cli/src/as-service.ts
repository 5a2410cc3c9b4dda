/** For commands that open the data directory: root goes on as the user of the service before the command itself is even loaded. */
import type { Context } from './context.ts';
import type { InstanceFlags } from './flags.ts';

type Command<Flags, Args extends readonly unknown[]> = (this: Context, flags: Flags, ...args: Args) => void | Promise<void>;

export function asService<Flags extends InstanceFlags, Args extends readonly unknown[]>(load: () => Promise<Command<Flags, Args>>): () => Promise<Command<Flags, Args>> {
  return async () => async function (this: Context, flags: Flags, ...args: Args) {
    const { enterAsOperator } = await import('./actions/enter.ts');
    enterAsOperator(this, flags);
    await (await load()).call(this, flags, ...args);
  };
}
