/** Reads a counter and writes it one higher, as often as it is told to. */
import { openData } from '../../src/data.ts';

await using data = await openData({ directory: process.argv[2] ?? '' });
for (let left = Number(process.argv[3]); left > 0; left -= 1) {
  await data.write(async (tx) => {
    const { value } = await tx.selectFrom('counter').select('value').where('name', '=', 'epoch').executeTakeFirstOrThrow();
    await tx.updateTable('counter').set({ value: value + 1 }).where('name', '=', 'epoch').execute();
  });
}
