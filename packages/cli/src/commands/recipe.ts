/** `weir recipe …` */
import { buildCommand, buildRouteMap } from '@stricli/core';
import type { ListFlags } from '../actions/recipe.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { jsonFlag, quietFlag, serverFlags } from '../flags.ts';

const list = buildCommand<ListFlags, [], Context>({
  loader: async () => (await import('../actions/recipe.ts')).list, parameters: { flags: { quiet: quietFlag, json: jsonFlag, ...serverFlags } },
  docs: documented({ brief: 'List the recipes with their parameters', examples: ['weir recipe list', 'weir recipe list --json'] }),
});

export const recipe = buildRouteMap({ routes: { list }, docs: { brief: 'What jobs can be made of' } });
