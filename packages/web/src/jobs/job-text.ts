/** A job in words. */
import { terminalStates, type Job } from '@weir/contracts/jobs';
import { formatDuration } from '../format.ts';

export const jobTitle = (job: Job): string => job.labels['title'] ?? job.recipe ?? 'ffmpeg job';

export const hasEnded = (job: Job): boolean => terminalStates.includes(job.state);

/** "62 % · 48 fps · 2.1× speed · 12 s left"; empty when there is nothing to say. */
export function progressText({ progress }: Job): string {
  return [
    `${Math.floor(progress.percent)} %`,
    progress.fps === null ? '' : `${Math.round(progress.fps)} fps`,
    progress.speed === null ? '' : `${Number(progress.speed.toPrecision(2))}× speed`,
    progress.eta_seconds === null ? '' : `${formatDuration(progress.eta_seconds)} left`,
  ].filter((part) => part !== '').join(' · ');
}

/** How long the job ran, or null when it did not. */
export function runTime(job: Job): string | null {
  if (job.started_at === null || job.finished_at === null) return null;
  return formatDuration((Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000);
}

/** What to do about the commonest failures. */
export function nextStep(code: string): string {
  const steps: Readonly<Record<string, string>> = {
    'arguments.refused': 'Change the argument that the message names and submit again.',
    'recipe.parameters': 'Submit it again with other parameters.',
    'content.damaged': 'Upload the input again, then retry.',
    'policy.refused': 'The input is no longer yours to use. Ask its owner.',
    'object.absent': 'The input was deleted. Upload it again.',
    'storage.full': 'Free space in the data directory of the server, then retry.',
    'system.missing': 'Run weir doctor on the worker: it names the program to install.',
  };
  return steps[code] ?? 'The log below says what ffmpeg said. Retry if the input is sound; otherwise try another recipe.';
}
