/** An argument list that was vetted: words, with places for files that only the jail can name. */
import { inputPath, progressDescriptor } from '../jail/descriptors.ts';

export type TemplatePart = string | Readonly<{ input: number }> | Readonly<{ output: string }>;
/** Made by `vetArguments` alone. */
export type ArgumentTemplate = readonly TemplatePart[];

/** What Weir itself says to every ffmpeg: no terminal, quiet log, progress on its own pipe. */
export const commonArguments: readonly string[] = [
  '-nostdin', '-hide_banner', '-y', '-loglevel', 'warning', '-nostats', '-stats_period', '0.5', '-progress', `pipe:${progressDescriptor}`,
];

/**
 * The argument list for the program in a jail. Inputs are inherited descriptors; outputs lie in the working directory
 * (the `./` makes muxers write relative names into playlists).
 */
export function renderArguments(template: ArgumentTemplate): string[] {
  return template.map((part) => {
    if (typeof part === 'string') return part;
    return 'input' in part ? `file:${inputPath(part.input)}` : `file:./${part.output}`;
  });
}
