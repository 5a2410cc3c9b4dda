/** Looks at a file and changes nothing: format, duration, streams. */
import { z } from 'zod';
import { defineRecipe } from './recipe.ts';

export const probeRecipe = defineRecipe({
  recipe: 'probe', title: 'Probe', class: 'io', outputs: [],
  description: 'What the file is: format, duration, streams. Makes no output; the probe is the result.',
  parameters: z.strictObject({}),
  plan: (_parameters, input) => ({ arguments: [], outputs: [], durationSeconds: input.duration_seconds }),
});
