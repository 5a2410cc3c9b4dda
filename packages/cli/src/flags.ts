/** Flags that several commands share. */
import { serverUrl, text } from './parse.ts';

export const jsonFlag = { kind: 'boolean', brief: 'Print JSON', optional: true, withNegated: false } as const;
export const quietFlag = { kind: 'boolean', brief: 'Print the result alone', optional: true, withNegated: false } as const;
export const dataFlag = { kind: 'parsed', parse: text, brief: 'The data directory (WEIR_DATA)', placeholder: 'DIR', optional: true, withNegated: false } as const;
export const configFlag = { kind: 'parsed', parse: text, brief: 'The configuration file (WEIR_CONFIG)', placeholder: 'FILE', optional: true, withNegated: false } as const;

/** Of commands that speak to a server. */
export const serverFlags = {
  server: { kind: 'parsed', parse: serverUrl, brief: 'The server (WEIR_SERVER), else the one of this machine', placeholder: 'URL', optional: true },
  ca: { kind: 'parsed', parse: text, brief: 'PEM file of an authority to trust beside the usual ones', placeholder: 'FILE', optional: true },
  keyFile: { kind: 'parsed', parse: text, brief: 'Sign with the key in this file (WEIR_KEY_FILE) in place of a token', placeholder: 'FILE', optional: true },
  as: { kind: 'parsed', parse: text, brief: 'Whose key that is (WEIR_PRINCIPAL)', placeholder: 'NAME', optional: true },
  data: dataFlag,
  config: configFlag,
} as const;
export type ServerFlags = Readonly<{ server?: string; ca?: string; keyFile?: string; as?: string; data?: string; config?: string }>;

/** Of commands that open the data directory themselves. */
export const instanceFlags = { data: dataFlag, config: configFlag } as const;
export type InstanceFlags = Readonly<{ data?: string; config?: string }>;

export const listOf = (brief: string, placeholder: string) =>
  ({ kind: 'parsed', parse: text, brief, placeholder, variadic: ',', optional: true }) as const;
