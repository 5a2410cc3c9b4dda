/** A bounded cache of rows that decide about rights, dropped the moment their epoch moves. Absent rows are remembered too. */

/** Reads one row; `undefined` when there is none. */
type Load<T> = (key: string) => Promise<T | undefined>;

export class Directory<T> {
  readonly #load: Load<T>;
  readonly #limit: number;
  readonly #known = new Map<string, { value: T | undefined }>();
  #generation = 0;

  constructor(load: Load<T>, limit = 100_000) {
    this.#load = load;
    this.#limit = limit;
  }

  /** The row, at once when it is known, else as a promise. */
  find(key: string): T | undefined | Promise<T | undefined> {
    const known = this.#known.get(key);
    return known === undefined ? this.#read(key) : known.value;
  }

  async #read(key: string): Promise<T | undefined> {
    const generation = this.#generation;
    const value = await this.#load(key);
    // A row that moved while it was read may be old already: use it for this once, keep nothing.
    if (generation === this.#generation) {
      if (this.#known.size >= this.#limit) this.#known.delete(this.#known.keys().next().value ?? key);
      this.#known.set(key, { value });
    }
    return value;
  }

  forget(key: string): void {
    this.#generation += 1;
    this.#known.delete(key);
  }

  clear(): void {
    this.#generation += 1;
    this.#known.clear();
  }
}
