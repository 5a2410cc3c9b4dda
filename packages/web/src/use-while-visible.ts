/** Runs something only while the tab is seen. Open event streams of hidden tabs would use up the browser's few connections to one server. */
import { useEffect, useEffectEvent } from 'react';

/** `run` starts again whenever the tab is shown or `key` changes, and is aborted when it is hidden. */
export function useWhileVisible(key: string, run: (signal: AbortSignal) => Promise<void>): void {
  const start = useEffectEvent(run);
  useEffect(() => {
    let current: AbortController | null = null;
    const follow = (): void => {
      if (document.visibilityState === 'visible' && current === null) {
        current = new AbortController();
        void start(current.signal);
      }
      if (document.visibilityState === 'hidden') stop();
    };
    const stop = (): void => {
      current?.abort();
      current = null;
    };
    follow();
    document.addEventListener('visibilitychange', follow);
    return () => {
      document.removeEventListener('visibilitychange', follow);
      stop();
    };
  }, [key]);
}
