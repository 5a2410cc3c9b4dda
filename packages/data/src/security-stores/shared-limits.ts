/** Rate limits that hold over all nodes of a cluster: GCRA in one row per key, by the database's clock. For PostgreSQL. */
import { RateLimits, verdictOf, type Limits, type RateLimit, type RateVerdict } from '@weir/security/rate-limits';
import { sql } from 'kysely';
import type { Data } from '../data.ts';
import { translateDatabaseError } from '../database-errors.ts';

/**
 * A node refuses by itself, without asking, what is too much for it alone, so that a flood reaches no database; the rest is one
 * statement. See `stepGcra` for the algorithm. Errors: `config.invalid`, `storage.failed`.
 */
export function openSharedLimits<Name extends string>(data: Data, limits: Readonly<Record<Name, RateLimit>>): Limits<Name> {
  const own = new RateLimits(limits);
  return {
    take(name, key, nowMs) {
      const verdict = own.take(name, key, nowMs);
      return verdict.allowed ? takeShared(data, name, key, limits[name]) : verdict;
    },
  };
}

/** The database's clock, in microseconds. */
const clockUs = sql`cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)`;

async function takeShared({ connections: { writer } }: Data, name: string, key: string, limit: RateLimit): Promise<RateVerdict> {
  const periodUs = limit.periodSeconds * 1_000_000;
  // Rounded up, and the last of a burst must not be lost to that.
  const stepUs = Math.ceil(periodUs / limit.limit);
  const mostUs = periodUs + limit.limit;
  const current = sql`least(greatest(rate_limit.full_at, now.us), now.us + cast(${periodUs} as bigint))`;
  try {
    const { rows: [taken] } = await sql<{ full_at: number; now: number }>`
      with now as (select ${clockUs} as us),
      taken as (
        insert into rate_limit (name, key, full_at) select ${name}, ${key}, us + ${stepUs} from now
        on conflict (name, key) do update set full_at = (select ${current} from now) + ${stepUs}
          where (select ${current} - now.us from now) + ${stepUs} <= ${mostUs}
        returning full_at
      )
      select full_at, us as now from taken, now`.execute(writer);
    if (taken !== undefined) return verdictOf(limit, true, taken.full_at / 1_000, taken.now / 1_000);
    // Read anew: the statement that was refused sees the row as it was before it waited for the others.
    const { rows: [full] } = await sql<{ full_at: number; now: number }>`
      select full_at, ${clockUs} as now from rate_limit where name = ${name} and key = ${key}`.execute(writer);
    return full === undefined ? verdictOf(limit, false, limit.periodSeconds * 1_000, 0) : verdictOf(limit, false, full.full_at / 1_000, full.now / 1_000);
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

/** Forgets keys whose allowance is whole again. */
export async function sweepRateLimits(data: Data): Promise<void> {
  await sql`delete from rate_limit where full_at < extract(epoch from clock_timestamp()) * 1000000`.execute(data.connections.writer);
}
