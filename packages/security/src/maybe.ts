/** Answers that are there already, or come later: what is cached costs no turn of the event loop. */
export type Maybe<T> = T | Promise<T>;

/** Goes on at once when the value is there. */
export const after = <T, U>(value: Maybe<T>, next: (value: T) => Maybe<U>): Maybe<U> => (value instanceof Promise ? value.then(next) : next(value));

/** What `ask` answers or, where that throws or rejects, what `handle` makes of it. */
export function rescue<T>(ask: () => Maybe<T>, handle: (error: unknown) => Maybe<T>): Maybe<T> {
  try {
    const answer = ask();
    return answer instanceof Promise ? answer.catch(handle) : answer;
  } catch (error) {
    return handle(error);
  }
}
