/** Runs tasks ahead of whoever takes their results, so that one result is ready while another one is still in the making. */

/**
 * Yields the results in the order of the tasks while up to `count` of them run. A failure is thrown in its turn; whoever stops
 * taking waits for what is running and starts nothing more.
 */
export async function* workAhead<T>(tasks: Iterator<() => Promise<T>, void>, count: number): AsyncGenerator<T, void, void> {
  // Settled, not rejected: a result that nobody comes back for must not end the process.
  const running: Promise<PromiseSettledResult<T>>[] = [];
  const startNext = (): void => {
    const next = tasks.next();
    if (next.done !== true) running.push(settled(next.value()));
  };
  for (let i = 0; i < count; i++) startNext();
  try {
    for (let first = running.shift(); first !== undefined; first = running.shift()) {
      const outcome = await first;
      if (outcome.status === 'rejected') throw outcome.reason;
      startNext();
      yield outcome.value;
    }
  } finally {
    await Promise.all(running);
  }
}

async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  try {
    return { status: 'fulfilled', value: await promise };
  } catch (reason) {
    return { status: 'rejected', reason };
  }
}
