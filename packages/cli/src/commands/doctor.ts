/** `weir doctor` */
import { buildCommand } from '@stricli/core';
import type { DoctorFlags } from '../actions/doctor.ts';
import { asService } from '../as-service.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { instanceFlags, jsonFlag } from '../flags.ts';

export const doctor = buildCommand<DoctorFlags, [], Context>({
  loader: asService(async () => (await import('../actions/doctor.ts')).doctor), parameters: { flags: { json: jsonFlag, ...instanceFlags } },
  docs: documented({
    brief: 'Check this machine and its configuration, with grades', details: 'Exit code 1 says that something needed does not work.', examples: ['weir doctor', 'weir doctor --json'],
  }),
});
