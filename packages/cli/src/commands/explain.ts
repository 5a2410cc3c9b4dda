/** `weir explain` */
import { buildCommand } from '@stricli/core';
import type { ExplainFlags } from '../actions/explain.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { jsonFlag, serverFlags } from '../flags.ts';
import { address, instant, text } from '../parse.ts';

const optional = (brief: string, placeholder: string) => ({ kind: 'parsed', parse: text, brief, placeholder, optional: true }) as const;

export const explain = buildCommand<ExplainFlags, string[], Context>({
  loader: async () => (await import('../actions/explain.ts')).explain,
  parameters: {
    positional: { kind: 'array', maximum: 3, parameter: { brief: 'Who, the action, and the object: a content id, or job:ID, grant:ID, token:ID, session:ID, holding:ID', placeholder: 'WHO|ACTION|OBJECT', parse: text } },
    flags: {
      role: optional('Somebody of this role in place of a principal', 'ROLE'), object: optional('Alone: who may read this content', 'CID'), owner: optional('With --object: whose holding', 'NAME'),
      address: { kind: 'parsed', parse: address, brief: 'From there, in place of this machine', placeholder: 'ADDRESS', optional: true },
      at: { kind: 'parsed', parse: (value: string) => instant(value), brief: 'At that time, in place of now', placeholder: 'TIME', optional: true },
      json: jsonFlag, ...serverFlags,
    },
  },
  docs: documented({
    brief: 'Say why somebody may or may not do something', details: 'The server asks its own gate and tells each clause that it looked at. Without an action: all that they can do.',
    examples: ['weir explain alice content.read bafk…', 'weir explain anonymous content.read bafk… --address 192.0.2.7 --at +2d', 'weir explain alice', 'weir explain --role viewer', 'weir explain --object bafk…'],
  }),
});
