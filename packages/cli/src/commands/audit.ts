/** `weir audit …` */
import { buildCommand, buildRouteMap } from '@stricli/core';
import type { FileFlags, ListFlags, VerifyFlags } from '../actions/audit.ts';
import { asService } from '../as-service.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { instanceFlags, jsonFlag, listOf, type InstanceFlags } from '../flags.ts';
import { count, instant, text } from '../parse.ts';

const optional = (brief: string, placeholder: string) => ({ kind: 'parsed', parse: text, brief, placeholder, optional: true }) as const;
const moment = (brief: string) => ({ kind: 'parsed', parse: (value: string) => instant(value), brief, placeholder: 'TIME', optional: true }) as const;

const list = buildCommand<ListFlags, [], Context>({
  loader: asService(async () => (await import('../actions/audit.ts')).list),
  parameters: {
    aliases: { f: 'follow' },
    flags: {
      limit: { kind: 'parsed', parse: count(1, 1_000), brief: 'How many events', placeholder: 'N', default: '50' },
      cursor: optional('Go on where the list before ended', 'CURSOR'), principal: optional('Only of this principal', 'NAME'),
      action: optional('Only this action, such as token.issue, or grant.*', 'ACTION'), object: optional('Only of this object, or holding:*', 'OBJECT'),
      address: optional('Only from this address, or 192.0.2.*', 'ADDRESS'), text: optional('Only where this is said in object, reason or principal', 'TEXT'),
      decision: { kind: 'enum', values: ['allowed', 'refused'], brief: 'Only what was allowed, or refused', optional: true },
      class: { kind: 'enum', values: ['A', 'B', 'C'], brief: 'A: rights and data, B: streams and jobs, C: refusals', optional: true },
      from: moment('Only since then'), to: moment('Only before then'),
      follow: { kind: 'boolean', brief: 'Go on with what happens', optional: true, withNegated: false },
      json: jsonFlag, ...instanceFlags,
    },
  },
  docs: documented({
    brief: 'List what was done and refused, newest first',
    details: 'With --follow, oldest first and without end; with --json as well, one event a line.',
    examples: ['weir audit list', 'weir audit list --principal alice --limit 10', 'weir audit list --action grant.* --from 2030-01-31 --json', 'weir audit list --decision refused --follow'],
  }),
});

const exportLog = buildCommand<InstanceFlags, [], Context>({
  loader: asService(async () => (await import('../actions/audit.ts')).exportLog),
  parameters: { flags: { ...instanceFlags } },
  docs: documented({
    brief: 'Print the whole audit log as JSON Lines, with what it takes to verify it elsewhere', details: 'Keep it on another machine: what is in it can no longer be changed unnoticed.',
    examples: ['weir audit export > audit.jsonl'],
  }),
});

const verify = buildCommand<VerifyFlags, [], Context>({
  loader: asService(async () => (await import('../actions/audit.ts')).verify),
  parameters: { flags: { against: optional('Compare with this export too', 'EXPORT'), json: jsonFlag, ...instanceFlags } },
  docs: documented({
    brief: 'Check the chain of the audit log and its signed checkpoints',
    details: 'Exit code 1 names the first event that was changed, removed, inserted or reordered.', examples: ['weir audit verify', 'weir audit verify --against audit.jsonl'],
  }),
});

const verifyFile = buildCommand<FileFlags, [string], Context>({
  loader: async () => (await import('../actions/audit.ts')).verifyFile,
  parameters: {
    positional: { kind: 'tuple', parameters: [{ brief: 'An export of the audit log', placeholder: 'EXPORT', parse: text }] },
    flags: { publicKey: listOf('Keys that it must be signed with, as weir audit verify --json shows them', 'KEY'), json: jsonFlag },
  },
  docs: documented({
    brief: 'Check an export by itself, on any machine', details: 'Exit code 1 names the first event that was changed, removed, inserted or reordered.',
    examples: ['weir audit verify-file audit.jsonl', 'weir audit verify-file audit.jsonl --public-key 11qYAYKxCrfVS…'],
  }),
});

export const audit = buildRouteMap({ routes: { list, export: exportLog, verify, verifyFile }, docs: { brief: 'Who did what (on the machine of the server)' } });
