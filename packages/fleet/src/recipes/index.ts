/** All recipes by name. */
import { WeirError } from '@weir/contracts/errors';
import { audioOpus } from './audio-opus.ts';
import { hlsLadder } from './hls-ladder.ts';
import { mp4H264 } from './mp4-h264.ts';
import { probeRecipe } from './probe.ts';
import type { Recipe } from './recipe.ts';

export const recipes: readonly Recipe[] = [probeRecipe, mp4H264, audioOpus, hlsLadder];

/** The recipe of that name. Throws `recipe.unknown` with the names that there are. */
export function findRecipe(name: string): Recipe {
  const recipe = recipes.find((candidate) => candidate.recipe === name);
  if (recipe) return recipe;
  const names = recipes.map((candidate) => candidate.recipe);
  throw new WeirError('recipe.unknown', `There is no such recipe; there are ${names.join(', ')}.`, { facts: { recipes: names } });
}
