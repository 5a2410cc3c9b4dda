/** What a recipe is: a named piece of work with typed parameters that becomes an argument list, vetted like a client's. */
import { z } from 'zod';
import { WeirError } from '@weir/contracts/errors';
import type { Probe, Recipe as RecipeMessage } from '@weir/contracts/jobs';

/** What an output must turn out to be before it is published. Null means that nobody knows, and then it is not checked. */
export type ExpectedOutput = Readonly<{
  name: string;
  contentType: string;
  form: 'media' | 'playlist';
  /** Exactly these streams in this order; null for the outputs of custom arguments. */
  streams: readonly Readonly<{ kind: 'video' | 'audio'; codec: string }>[] | null;
  durationSeconds: number | null;
}>;

/** `arguments` is empty for a recipe that only looks at its input: its result is the probe. */
export type RecipePlan = Readonly<{ arguments: readonly string[]; outputs: readonly ExpectedOutput[]; durationSeconds: number | null }>;

export type Recipe = Readonly<{
  recipe: string; title: string; description: string; class: 'cpu' | 'io';
  /** Names of the outputs. Throws `recipe.parameters`. */
  outputs: (parameters: unknown) => readonly string[];
  /** The work for an input that was probed. Throws `recipe.parameters`, also for an input that the recipe makes no sense for. */
  plan: (parameters: unknown, input: Probe) => RecipePlan;
  /** As `GET /api/v1/recipes` lists it, with the parameters as JSON Schema. */
  message: z.infer<typeof RecipeMessage>;
}>;

export type RecipeDefinition<Parameters> = Readonly<{
  recipe: string; title: string; description: string; class: 'cpu' | 'io';
  parameters: z.ZodType<Parameters>;
  outputs: readonly string[];
  plan: (parameters: Parameters, input: Probe) => RecipePlan;
}>;

/** Makes a recipe whose functions check their parameters first. */
export function defineRecipe<Parameters>(definition: RecipeDefinition<Parameters>): Recipe {
  const { recipe, title, description, outputs } = definition;
  const checked = (parameters: unknown) => checkParameters(recipe, definition.parameters, parameters);
  return {
    recipe, title, description, class: definition.class,
    outputs: (parameters) => { checked(parameters); return outputs; },
    plan: (parameters, input) => definition.plan(checked(parameters), input),
    message: { recipe, title, description, outputs: [...outputs], parameters: z.toJSONSchema(definition.parameters, { io: 'input' }) },
  };
}

function checkParameters<Parameters>(recipe: string, schema: z.ZodType<Parameters>, parameters: unknown): Parameters {
  const result = schema.safeParse(parameters);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const parameter = issue?.path.join('.') ?? '';
  throw new WeirError('recipe.parameters', `The recipe ${recipe} refuses ${parameter || 'its parameters'}: ${issue?.message ?? 'not of the expected form'}.`, { facts: { recipe, parameter } });
}

/** Refuses an input in which a recipe has nothing to work on. */
export function requireStream(recipe: string, input: Probe, kind: 'video' | 'audio', instead: string): void {
  if (input.streams.some((stream) => stream.kind === kind)) return;
  throw new WeirError('recipe.parameters', `The recipe ${recipe} needs ${kind}, and this input has none. ${instead}`, { facts: { recipe, parameter: 'inputs' } });
}

export function hasAudio(input: Probe): boolean {
  return input.streams.some((stream) => stream.kind === 'audio');
}
