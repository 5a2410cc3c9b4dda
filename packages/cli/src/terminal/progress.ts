/** A progress bar on the last line of a terminal, with rate and remaining time. Where there is no terminal it draws nothing. */
import { printableLine } from './printable.ts';
import { formatBytes, formatSeconds } from './units.ts';

export type Bar = Disposable & Readonly<{
  /** Draws at most ten times a second. */
  show(text: string): void;
}>;

type Screen = Readonly<{ isTTY?: boolean; columns?: number; write(text: string): unknown }>;

const drawEveryMs = 100;
const barWidth = 24;

/** A line that is drawn over itself and gone when disposed. */
export function liveLine(screen: Screen): Bar {
  if (screen.isTTY !== true) return { show: () => undefined, [Symbol.dispose]: () => undefined };
  let drawnAt = -Infinity;
  let isDrawn = false;
  return {
    show(text) {
      const now = performance.now();
      if (now - drawnAt < drawEveryMs) return;
      drawnAt = now;
      isDrawn = true;
      screen.write(`\r\u001B[2K${text.slice(0, (screen.columns ?? 80) - 1)}`);
    },
    [Symbol.dispose]() {
      if (isDrawn) screen.write('\r\u001B[2K');
    },
  };
}

/** `name  ███░░  45 %  12 MiB/s  0:07`. A total that is not known shows what was moved instead of a bar. */
export function transferText(name: string, moved: number, total: number | undefined, elapsedMs: number): string {
  const rate = elapsedMs > 0 ? moved / elapsedMs * 1_000 : 0;
  const label = printableLine(name, 30).padEnd(30);
  if (total === undefined) return `${label} ${formatBytes(moved)}  ${formatBytes(rate)}/s`;
  const remaining = rate > 0 ? formatSeconds((total - moved) / rate) : '-:--';
  return `${label} ${bar(total === 0 ? 1 : moved / total)}  ${formatBytes(rate)}/s  ${remaining} left`;
}

export type JobProgress = Readonly<{ percent: number; eta_seconds: number | null; speed: number | null }>;

export function jobText(name: string, state: string, { percent, eta_seconds: eta, speed }: JobProgress): string {
  const details = [speed === null ? '' : `${speed.toFixed(1)}x`, eta === null ? '' : `${formatSeconds(eta)} left`].filter((part) => part !== '');
  return `${printableLine(name, 30).padEnd(30)} ${bar(percent / 100)}  ${state}  ${details.join('  ')}`.trimEnd();
}

/** `fraction` outside 0..1 is clipped. */
function bar(fraction: number): string {
  const clipped = Math.min(1, Math.max(0, Number.isFinite(fraction) ? fraction : 0));
  const full = Math.round(clipped * barWidth);
  return `${'█'.repeat(full)}${'░'.repeat(barWidth - full)} ${String(Math.floor(clipped * 100)).padStart(3)} %`;
}
