/** Recipes: the kinds of job that a server offers, with their parameters as JSON Schema. */
import { page } from '@weir/contracts/identity';
import { Recipe } from '@weir/contracts/jobs';
import { call, type CallOptions, type Client } from './client.ts';

const Recipes = page(Recipe);

export const list = (client: Client, options: CallOptions = {}) =>
  call(client, { path: '/api/v1/recipes', reply: Recipes, ...options });
