/** One task in the background at a time: work on one buffer goes on while the next one is filled, and no further. */
export class InFlight implements AsyncDisposable {
  // allSettled never rejects, so a failure waits for whoever asks next instead of ending the process as unhandled.
  #running: Promise<readonly PromiseSettledResult<void>[]> = Promise.resolve([]);

  /** Waits for the task before, throws if that failed, and starts this one without waiting for it. */
  async start(task: () => Promise<void>): Promise<void> {
    await this.done();
    this.#running = Promise.allSettled([task()]);
  }

  /** Waits for the running task and throws if it failed. */
  async done(): Promise<void> {
    for (const outcome of await this.#running) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /** Waits for the running task only: whoever leaves the scope is already returning or throwing for a reason of its own. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running;
  }
}
