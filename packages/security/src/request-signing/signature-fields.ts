/** The fields Signature-Input and Signature (RFC 9421 §4) with one label, in canonical structured fields (RFC 9651), and the base that is signed. */
import { decodeBase64 } from '../base64.ts';

/** The one label of the profile. */
export const signatureLabel = 'weir';

/** Covered components as identifiers in canonical form (`"@method"`, `"signature";req`) and the parameters, all in the order of the message. */
export type SignatureInput = Readonly<{ components: readonly string[]; parameters: readonly (readonly [name: string, value: string | number])[] }>;

const maxFieldLength = 2_048;
const maxComponents = 16;
const component = /^"(@?[a-z][a-z0-9-]{0,63})"(;req)?$/;
const inputField = /^[a-z][a-z0-9-]{0,31}=\(([^()]*)\)((?:;[a-z]{1,16}=(?:"[^"\\]*"|[0-9]{1,15}))*)$/;
const parameter = /;([a-z]{1,16})=(?:"([^"\\]*)"|([0-9]{1,15}))/g;
const printable = /^[\x20-\x7e]*$/;
const signatureField = /^([a-z][a-z0-9-]{0,31})=:([A-Za-z0-9+/]{1,172}={0,2}):$/;

/** `("@method" "@path");created=1;keyid="k"`: the value of `@signature-params`, and of the field behind its label. */
export function printSignatureParams({ components, parameters }: SignatureInput): string {
  return `(${components.join(' ')})${parameters.map(([name, value]) => `;${name}=${typeof value === 'number' ? value : `"${value}"`}`).join('')}`;
}

/**
 * A Signature-Input with exactly this label, or undefined. Accepted is only what printing gives again: at most 2 KiB and 16
 * components, without repetition; strings without quotes and backslashes. So signer and verifier can't read it differently.
 */
export function parseSignatureInput(value: string, label: string): SignatureInput | undefined {
  if (value.length > maxFieldLength || !printable.test(value)) return undefined;
  const found = inputField.exec(value);
  if (found === null) return undefined;
  const [, list = '', tail = ''] = found;
  const components = list === '' ? [] : list.split(' ');
  if (components.length > maxComponents || !areDistinct(components) || !components.every((each) => component.test(each))) return undefined;
  const parameters = [...tail.matchAll(parameter)].map(([, name = '', text, digits]) => [name, text ?? Number(digits)] as const);
  const input = { components, parameters };
  return areDistinct(parameters.map(([name]) => name)) && `${label}=${printSignatureParams(input)}` === value ? input : undefined;
}

/** The bytes of a Signature field with exactly this label, at most 128, or undefined. */
export function parseSignature(value: string, label: string): Buffer | undefined {
  const [, named, encoded] = signatureField.exec(value) ?? [];
  return named === label && encoded !== undefined ? decodeBase64(encoded) : undefined;
}

export function printSignature(signature: Uint8Array, label: string): string {
  return `${label}=:${Buffer.from(signature).toString('base64')}:`;
}

/**
 * The signature base (RFC 9421 §2.5): one line per covered component with the value that `valueOf` gives, then the
 * parameters. Undefined if a component has no value, or one that is not a line of printable ASCII.
 */
export function signatureBase(input: SignatureInput, valueOf: (component: string) => string | undefined): string | undefined {
  const lines: string[] = [];
  for (const name of input.components) {
    const value = valueOf(name);
    if (value === undefined || !printable.test(value)) return undefined;
    lines.push(`${name}: ${value}`);
  }
  return [...lines, `"@signature-params": ${printSignatureParams(input)}`].join('\n');
}

const areDistinct = (names: readonly string[]): boolean => new Set(names).size === names.length;
