/** The form of a recipe, read from its JSON Schema, and the parameters that a filled form means. */

export type ParameterField = Readonly<{
  name: string;
  label: string;
  hint: string | undefined;
  kind: 'choice' | 'integer' | 'number' | 'switch' | 'text';
  choices: readonly (string | number)[];
  minimum: number | undefined;
  maximum: number | undefined;
  initial: string;
}>;

export type ParameterValues = Readonly<Record<string, string>>;
type Parameters = Record<string, string | number | boolean>;

/** Fields in the order of the schema; what a form cannot show (objects, lists) is left to its default. */
export function parameterFields(schema: Readonly<Record<string, unknown>>): readonly ParameterField[] {
  return Object.entries(recordOf(schema['properties'])).flatMap(([name, value]) => {
    const property = recordOf(value);
    const kind = kindOf(property);
    return kind === undefined ? [] : [{
      name,
      kind,
      label: textOf(property['title']) ?? labelOf(name),
      hint: textOf(property['description']) ?? rangeHint(property),
      choices: choicesOf(property),
      minimum: numberOf(property['minimum']),
      maximum: numberOf(property['maximum']),
      initial: initialOf(property['default']),
    }];
  });
}

/** Typed parameters, or a sentence for each field that does not fit. Empty fields are left to the recipe's default. */
export function readParameters(fields: readonly ParameterField[], values: ParameterValues): Readonly<{ parameters: Parameters; errors: Readonly<Record<string, string>> }> {
  const parameters: Parameters = {};
  const errors: Record<string, string> = {};
  for (const field of fields) {
    const text = (values[field.name] ?? '').trim();
    if (text === '') continue;
    const problem = problemOf(field, text);
    if (problem !== undefined) errors[field.name] = problem;
    else parameters[field.name] = typed(field, text);
  }
  return { parameters, errors };
}

function typed({ kind, choices }: ParameterField, text: string): string | number | boolean {
  if (kind === 'choice') return choices.find((choice) => String(choice) === text) ?? text;
  if (kind === 'switch') return text === 'true';
  return kind === 'text' ? text : Number(text);
}

function problemOf({ kind, choices, minimum, maximum }: ParameterField, text: string): string | undefined {
  if (kind === 'choice') return choices.some((choice) => String(choice) === text) ? undefined : 'Choose one of the list.';
  if (kind !== 'integer' && kind !== 'number') return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || (kind === 'integer' && !Number.isInteger(value))) return kind === 'integer' ? 'A whole number is needed.' : 'A number is needed.';
  if (minimum !== undefined && value < minimum) return `At least ${minimum}.`;
  return maximum !== undefined && value > maximum ? `At most ${maximum}.` : undefined;
}

function kindOf(property: Readonly<Record<string, unknown>>): ParameterField['kind'] | undefined {
  if (choicesOf(property).length > 0) return 'choice';
  switch (property['type']) {
    case 'integer': return 'integer';
    case 'number': return 'number';
    case 'boolean': return 'switch';
    case 'string': return 'text';
    default: return undefined;
  }
}

/** An `enum`, or the constants of an `anyOf` or `oneOf`. */
function choicesOf(property: Readonly<Record<string, unknown>>): readonly (string | number)[] {
  const alternatives = [property['anyOf'], property['oneOf']].find(Array.isArray);
  const values: unknown = property['enum'] ?? alternatives?.map((one: unknown) => recordOf(one)['const']);
  return Array.isArray(values) ? values.filter((value): value is string | number => typeof value === 'string' || typeof value === 'number') : [];
}

function rangeHint(property: Readonly<Record<string, unknown>>): string | undefined {
  const minimum = numberOf(property['minimum']);
  const maximum = numberOf(property['maximum']);
  // JSON Schema of a safe integer carries its limits, which tell a person nothing.
  const telling = (limit: number | undefined): limit is number => limit !== undefined && Math.abs(limit) < Number.MAX_SAFE_INTEGER;
  return telling(minimum) && telling(maximum) ? `${minimum} to ${maximum}` : undefined;
}

const written: Readonly<Record<string, string>> = { crf: 'CRF', kbps: '(kbit/s)', fps: 'FPS' };

function labelOf(name: string): string {
  const words = name.split('_').map((word) => written[word] ?? word).join(' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const initialOf = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '');
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
const recordOf = (value: unknown): Readonly<Record<string, unknown>> =>
  (typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {});
