/** The secret of a sign-in link. It is taken out of the address bar as soon as this is loaded, so that it is in no history and no screenshot. */

let secret: string | null = takeFromAddress();

/** The secret of the link that opened the page, once. */
export function takeLinkSecret(): string | null {
  const taken = secret ?? takeFromAddress();
  secret = null;
  return taken;
}

function takeFromAddress(): string | null {
  if (location.pathname !== '/sign-in' || location.hash.length < 2) return null;
  const found = location.hash.slice(1);
  history.replaceState(null, '', '/sign-in');
  return found;
}
