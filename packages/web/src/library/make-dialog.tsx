/** Submits a recipe for a thing of the library. */
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import type { LibraryItem } from '@weir/contracts/content';
import type { Recipe } from '@weir/contracts/jobs';
import * as jobs from '@weir/sdk/jobs';
import { useState } from 'react';
import type { output } from 'zod';
import { api } from '../api.ts';
import { rememberJob } from '../jobs/job-cache.ts';
import { parameterFields, readParameters, type ParameterField } from '../jobs/recipe-parameters.ts';
import { Button } from '../ui/button.tsx';
import { CurlPopover } from '../ui/curl-popover.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Field } from '../ui/field.tsx';
import { notifyFailure } from '../ui/toast.tsx';

export function MakeDialog({ item, recipe, onClose }: Readonly<{ item: LibraryItem; recipe: output<typeof Recipe>; onClose: () => void }>) {
  const fields = parameterFields(recipe.parameters);
  const [values, setValues] = useState<Readonly<Record<string, string>>>(() => Object.fromEntries(fields.map(({ name, initial }) => [name, initial])));
  const navigate = useNavigate();
  const { parameters, errors } = readParameters(fields, values);
  const request = { recipe: recipe.recipe, inputs: [{ cid: item.cid }], parameters, labels: { title: `${item.title} → ${recipe.title}`.slice(0, 256) } };
  const submit = useMutation({
    mutationFn: () => jobs.submit(api, request),
    onSuccess: async (job) => {
      rememberJob(job);
      onClose();
      await navigate({ to: '/jobs/$jobId', params: { jobId: job.job_id } });
    },
    onError: (error) => notifyFailure('The job was not submitted', error),
  });
  return (
    <Dialog open onClose={onClose} title={recipe.title} description={recipe.description}>
      <form onSubmit={(event) => { event.preventDefault(); submit.mutate(); }}>
        <div className="grid gap-4 sm:grid-cols-2">
          {fields.map((field) => (
            <Field key={field.name} label={field.label} hint={field.hint} error={errors[field.name]}>
              {(attributes) => <ParameterInput field={field} attributes={attributes} value={values[field.name] ?? ''} onChange={(value) => setValues((before) => ({ ...before, [field.name]: value }))} />}
            </Field>
          ))}
        </div>
        <div className="mt-6 flex items-center justify-end gap-2">
          <CurlPopover what="Submit this job" request={{ method: 'POST', path: '/api/v1/jobs', json: request }} />
          <Button onClick={onClose}>Cancel</Button>
          <Button tone="primary" type="submit" disabled={submit.isPending || Object.keys(errors).length > 0}>Make it</Button>
        </div>
      </form>
    </Dialog>
  );
}

type InputProps = Readonly<{ field: ParameterField; attributes: Readonly<Record<string, unknown>>; value: string; onChange: (value: string) => void }>;

function ParameterInput({ field, attributes, value, onChange }: InputProps) {
  if (field.kind === 'choice' || field.kind === 'switch') {
    const choices = field.kind === 'switch' ? ['true', 'false'] : field.choices.map(String);
    return (
      <select {...attributes} className="input" value={value} onChange={(event) => onChange(event.target.value)}>
        {field.initial === '' && <option value="">Default</option>}
        {choices.map((choice) => <option key={choice} value={choice}>{field.kind === 'switch' ? (choice === 'true' ? 'Yes' : 'No') : choice}</option>)}
      </select>
    );
  }
  return (
    <input
      {...attributes} className="input" autoComplete="off" inputMode={field.kind === 'text' ? 'text' : 'decimal'} placeholder="Default"
      value={value} onChange={(event) => onChange(event.target.value)}
    />
  );
}
