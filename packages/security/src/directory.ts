/** A bounded cache of rows that decide about rights, dropped the moment their epoch moves. Absent rows are remembered too. */
import { Generations } from './generations.ts';

/** Reads one row; `undefined` when there is none. */
type Load<T> = (key: string) => Promise<T | undefined>;

export class Directory<T> {
  readonly #load: Load<T>;
  readonly #known: Generations<{ value: T }>;
  /** Apart from the rows that are there: names that a stranger makes up push out one another, and nothing else. */
  readonly #absent: Generations<true>;
  #moves = 0;

  /** At most `limit` rows, and as many names that have none. */
  constructor(load: Load<T>, limit = 100_000) {
    this.#load = load;
    this.#known = new Generations(limit);
    this.#absent = new Generations(limit);
  }

  /** The row, at once when it is known, else as a promise. */
  find(key: string): T | undefined | Promise<T | undefined> {
    const known = this.#known.get(key);
    if (known !== undefined) return known.value;
    return this.#absent.get(key) === undefined ? this.#read(key) : undefined;
  }

  async #read(key: string): Promise<T | undefined> {
    const moves = this.#moves;
    const value = await this.#load(key);
    // A row that moved while it was read may be old already: use it for this once, keep nothing.
    if (moves === this.#moves) {
      if (value === undefined) this.#absent.set(key, true);
      else this.#known.set(key, { value });
    }
    return value;
  }

  forget(key: string): void {
    this.#moves += 1;
    this.#known.delete(key);
    this.#absent.delete(key);
  }
}
