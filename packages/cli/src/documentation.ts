/** The text of `--help`: what a command does, and examples that can be pasted. */

export type Documentation = Readonly<{ brief: string; details?: string; examples: readonly string[] }>;

export function documented({ brief, details, examples }: Documentation): { brief: string; fullDescription: string } {
  const parts = [details === undefined ? brief : `${brief}\n\n${details}`, 'EXAMPLES', ...examples.map((line) => `  ${line}`)];
  return { brief, fullDescription: `${parts[0]}\n\n${parts.slice(1).join('\n')}` };
}
