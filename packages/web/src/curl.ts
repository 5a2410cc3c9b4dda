/** What a page does, written as the command that does the same. */

export type CurlRequest = Readonly<{
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  query?: Readonly<Record<string, string | number | undefined>>;
  json?: unknown;
  /** Sent as the body. */
  file?: Readonly<{ name: string; contentType: string }>;
  /** Kept open and printed as it arrives. */
  stream?: boolean;
  /** Where to store what comes back. */
  output?: string;
}>;

/** A command for a POSIX shell; the token is the variable `$WEIR_TOKEN`, so that no secret is copied. */
export function curlCommand(origin: string, request: CurlRequest): string {
  const method = request.method ?? 'GET';
  const url = new URL(request.path, origin);
  for (const [name, value] of Object.entries(request.query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  const lines = [
    `curl ${request.stream === true ? '-N ' : ''}${method === 'GET' ? '' : `-X ${method} `}${quote(url.href)}`,
    '-H "Authorization: Bearer $WEIR_TOKEN"',
  ];
  if (request.json !== undefined) lines.push("-H 'Content-Type: application/json'", `-d ${quote(JSON.stringify(request.json))}`);
  if (request.file !== undefined) lines.push(`-H ${quote(`Content-Type: ${request.file.contentType}`)}`, `-T ${quote(request.file.name)}`);
  if (request.output !== undefined) lines.push(`-o ${quote(request.output)}`);
  return lines.join(' \\\n  ');
}

/** How the variable gets its token, on the machine that runs Weir. */
export const tokenCommand = (principal: string | null): string => `export WEIR_TOKEN=$(weir token issue --principal ${principal ?? 'NAME'} --quiet)`;

/** One word of a POSIX shell whatever the text holds. */
export const quote = (text: string): string =>
  (/^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
