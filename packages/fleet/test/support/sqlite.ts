/** A fresh SQLite database for tests that need only one engine. */
import { openData, type Data } from '@weir/data/data';
import { migrate } from '@weir/data/migrate';
import { temporaryFolder } from '../../../data/test/support/temporary.ts';

export async function sqlite(): Promise<AsyncDisposable & { data: Data }> {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const data = stack.use(await openData({ directory: folder.path }));
  await migrate(data);
  return { data, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
