/** What stands in the values of HTTP headers, read as browsers and proxies read it: blanks around a value, cookies by their name. */

/**
 * Without the spaces and tabs around it (optional whitespace, RFC 9110 §5.6.3). Any other blank is a part of what it stands beside: to a
 * browser `\u00A0__Host-weir` is another name than `__Host-weir`, which any host below ours may set.
 */
export const withoutBlanks = (text: string): string => text.replace(/^[ \t]+/, '').replace(/(?<![ \t])[ \t]+$/, '');

/** The values of all cookies of exactly this name, in the order of the header (RFC 6265 §4.2.1). */
export function cookiesNamed(header: string, name: string): string[] {
  return header.split(';').map(withoutBlanks).filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1));
}
