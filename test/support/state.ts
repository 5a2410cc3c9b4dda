/** What a server has stored, seen from outside: to show that a refused call changed nothing. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Refusals are counted in the audit. */
const notState = new Set(['audit_event', 'audit_checkpoint', 'audit_chain', 'audit_cut', 'audit_reader', 'audit_webhook']);
/** Time passes, and a good signature moves the replay mark whatever the request may do. */
const marksOfTime: readonly unknown[] = ['replay_until', 'clock_high_water'];
/** Signs of life of workers and of browser sessions. */
const heartbeats = new Set(['last_seen_at', 'lease_until', 'last_used_at']);

/** Reads the database of a running server beside it. */
export class StoredState implements Disposable {
  readonly #database: DatabaseSync;
  readonly #tables: readonly string[];

  constructor(dataPath: string) {
    this.#database = new DatabaseSync(path.join(dataPath, 'weir.db'), { readOnly: true, timeout: 5_000 });
    this.#tables = this.#database.prepare(`select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' order by name`).all()
      .map(({ name }) => String(name)).filter((name) => !notState.has(name));
  }

  get tables(): readonly string[] { return this.#tables; }

  /** A line per table, the same for the same rows; the audit's tables are left out. */
  digest(): string {
    return this.#tables.map((table) => {
      const rows = this.rows(`select * from "${table}" order by 1, 2`).filter((row) => table !== 'meta' || !marksOfTime.includes(row['key']));
      return `${table} ${rows.length} ${createHash('sha256').update(JSON.stringify(rows, plain)).digest('hex').slice(0, 32)}`;
    }).join('\n');
  }

  rows(query: string, ...values: (string | number)[]): Record<string, unknown>[] {
    return this.#database.prepare(query).all(...values);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

const plain = (key: string, value: unknown): unknown => (heartbeats.has(key) ? 0 : value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value);
