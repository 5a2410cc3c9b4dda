/** Answers that are there already, or come later: what is cached costs no turn of the event loop. */
export type Maybe<T> = T | Promise<T>;

/** Goes on at once when the value is there. */
export const after = <T, U>(value: Maybe<T>, next: (value: T) => Maybe<U>): Maybe<U> => (value instanceof Promise ? value.then(next) : next(value));
