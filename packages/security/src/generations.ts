/**
 * A bounded cache in two generations: a hit costs one lookup and moves nothing. What is used again is taken over into the young generation;
 * when that is full it becomes the old one, and what was in the old one, unused for a whole generation, goes.
 */
export class Generations<T> {
  readonly #most: number;
  #young = new Map<string, T>();
  #old = new Map<string, T>();
  #youngWeight = 0;

  /** `most` is the weight of all that is kept; an entry of more than half of it is not. */
  constructor(most: number) {
    this.#most = most;
  }

  get size(): number { return this.#young.size + this.#old.size; }

  /** `weight` as in `set`: what is found in the old generation is taken over. */
  get(key: string, weight = 1): T | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old, weight);
    return old;
  }

  /** Of one key the weight is always the same. */
  set(key: string, value: T, weight = 1): void {
    const half = this.#most / 2;
    if (weight > half) return;
    if (!this.#young.has(key)) {
      if (this.#youngWeight + weight > half) this.#age();
      this.#youngWeight += weight;
    }
    this.#old.delete(key);
    this.#young.set(key, value);
  }

  delete(key: string, weight = 1): void {
    if (this.#young.delete(key)) this.#youngWeight -= weight;
    this.#old.delete(key);
  }

  #age(): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngWeight = 0;
  }
}
