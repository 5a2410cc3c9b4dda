/** What was made of a holding: the outputs of its owner's jobs that read it, and what was made of those. */
import type { Database } from '@weir/data/schema';

/** Ids of the renditions that the owner still holds, parts of playlists included; not the holding itself. */
export async function renditionsOf(db: Database, source: Readonly<{ id: string; owner: string }>): Promise<ReadonlySet<string>> {
  const jobs = await db.selectFrom('job').select(['id', 'specification']).where('owner', '=', source.owner).where('state', '=', 'completed').execute();
  const inputs = new Map(jobs.map(({ id, specification }) => [id, inputHoldings(specification)]));
  const made = await db.selectFrom('holding').select(['id', 'origin']).where('owner', '=', source.owner).where('deleted_at', 'is', null).where('origin', 'is not', null).execute();
  const found = new Set([source.id]);
  // Each round finds what was made of the last one's finds, until a round finds nothing.
  for (let before = 0; before < found.size;) {
    before = found.size;
    for (const { id, origin } of made) if (inputs.get(origin ?? '')?.some((input) => found.has(input)) === true) found.add(id);
  }
  found.delete(source.id);
  return found;
}

/** Without reading the whole of it: a specification is JSON that this package wrote. */
const inputHoldings = (specification: string): string[] => [...specification.matchAll(/"holding":"([0-9A-Z]{26})"/g)].flatMap((match) => match[1] ?? []);
