/** What a browser calls itself, short enough to tell one from another. */

const browsers = [['Firefox', /Firefox\//], ['Edge', /Edg\//], ['Opera', /OPR\//], ['Chrome', /Chrome\//], ['Safari', /Safari\//], ['curl', /^curl\//]] as const;
const systems = [['iPhone', /iPhone/], ['iPad', /iPad/], ['Android', /Android/], ['Windows', /Windows/], ['macOS', /Mac OS X|Macintosh/], ['Linux', /Linux|X11/]] as const;

/** "Firefox on Linux"; "Another program" for what is neither known nor says anything. */
export function agentName(agent: string): string {
  const find = (known: typeof browsers | typeof systems): string | undefined => known.find(([, pattern]) => pattern.test(agent))?.[0];
  const [browser, system] = [find(browsers), find(systems)];
  if (browser === undefined) return agent === '' ? 'Another program' : agent.slice(0, 40);
  return system === undefined ? browser : `${browser} on ${system}`;
}
