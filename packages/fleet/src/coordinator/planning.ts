/** From a request to what will be run: the recipe or the vetted argument list, the names of its outputs, its class. */
import { WeirError } from '@weir/contracts/errors';
import type { JobRequest } from '@weir/contracts/jobs';
import { maxArgumentBytes, type JobClass, type Work } from '@weir/contracts/workers';
import { vetArguments } from '../arguments/vet.ts';
import { findRecipe } from '../recipes/index.ts';

export type Plan = Readonly<{ recipe: string | null; work: Work; class: JobClass; outputs: readonly string[] }>;

/** Errors: `arguments.refused` with the argument and the reason, `recipe.unknown`, `recipe.parameters`, `request.too_large`. */
export function planWork(request: JobRequest): Plan {
  return 'recipe' in request ? planRecipe(request) : planArguments(request);
}

function planRecipe({ recipe: name, parameters, inputs }: Extract<JobRequest, { recipe: string }>): Plan {
  const recipe = findRecipe(name);
  if (inputs.length !== 1) throw new WeirError('recipe.parameters', `The recipe ${name} takes one input; submit a job for each.`, { facts: { recipe: name, parameter: 'inputs' } });
  return { recipe: name, work: { kind: 'recipe', recipe: name, parameters }, class: recipe.class, outputs: recipe.outputs(parameters) };
}

function planArguments({ arguments: list, inputs, outputs }: Extract<JobRequest, { arguments: string[] }>): Plan {
  const bytes = list.reduce((sum, argument) => sum + Buffer.byteLength(argument), 0);
  if (bytes > maxArgumentBytes) throw new WeirError('request.too_large', 'The arguments together are longer than 64 KiB; shorten them.');
  vetArguments(list, { inputs: inputs.map(() => ({})), outputs });
  return { recipe: null, work: { kind: 'arguments', arguments: list }, class: 'cpu', outputs };
}
