/** JSON Schemas as a person reads them: the fields of an object, the bounds of a value, the shape of a message on one line. */

/** The part of JSON Schema (draft 2020-12) that our schemas use. */
export type JsonSchema = Readonly<{
  type?: string | readonly string[]; description?: string; default?: unknown; const?: unknown; enum?: readonly unknown[]; format?: string; pattern?: string;
  minimum?: number; maximum?: number; exclusiveMinimum?: number; minLength?: number; maxLength?: number; minItems?: number; maxItems?: number;
  properties?: Readonly<Record<string, JsonSchema>>; required?: readonly string[]; items?: JsonSchema; additionalProperties?: boolean | JsonSchema;
  anyOf?: readonly JsonSchema[]; oneOf?: readonly JsonSchema[]; allOf?: readonly JsonSchema[];
}>;

export type Field = Readonly<{ name: string; schema: JsonSchema; required: boolean }>;

export function fieldsOf(schema: JsonSchema): Field[] {
  return Object.entries(schema.properties ?? {}).map(([name, field]) => ({ name, schema: field, required: schema.required?.includes(name) ?? false }));
}

/** `{ cid: string, uses?: integer }`; alternatives with ` or `, lists with `[…]`. */
export function shapeOf(schema: JsonSchema): string {
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives !== undefined) return [...new Set(alternatives.map(shapeOf))].join(' or ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' or ');
  if (schema.properties !== undefined) {
    return `{ ${fieldsOf(schema).map(({ name, schema: field, required }) => `${name}${required ? '' : '?'}: ${shapeOf(field)}`).join(', ')} }`;
  }
  if (typeof schema.additionalProperties === 'object') return `{ [name]: ${shapeOf(schema.additionalProperties)} }`;
  if (schema.items !== undefined) return `[${shapeOf(schema.items)}]`;
  if (schema.format === 'date-time') return 'time';
  return typeOf(schema);
}

/** Type and bounds of one value, as words. */
export function constraints(schema: JsonSchema): string {
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives !== undefined) return [...new Set(alternatives.map(constraints))].join(' or ');
  if (schema.enum !== undefined || schema.const !== undefined) return shapeOf(schema);
  const least = schema.minimum ?? schema.exclusiveMinimum;
  const range = least === undefined || least <= Number.MIN_SAFE_INTEGER ? [] : [`from ${least}`];
  const most = schema.maximum === undefined || schema.maximum >= Number.MAX_SAFE_INTEGER ? [] : [`to ${schema.maximum}`];
  const length = schema.maxLength === undefined ? [] : [`at most ${schema.maxLength} characters`];
  const items = schema.items === undefined ? [] : [`of ${constraints(schema.items)}`, ...(schema.maxItems === undefined ? [] : [`at most ${schema.maxItems}`])];
  const kind = schema.format ?? (schema.type === 'array' ? 'list' : typeOf(schema));
  return [kind, ...range, ...most, ...length, ...items].join(' ');
}

function typeOf({ type = 'any' }: JsonSchema): string {
  return typeof type === 'string' ? type : type.join(' or ');
}
