/** A browser without a screen: cookies by origin, redirects followed one at a time. */
import { send, type RawReply } from './raw-http.ts';

export class Visitor {
  readonly #cookies = new Map<string, Map<string, string>>();

  cookie(url: string, name: string): string | undefined { return this.#cookies.get(new URL(url).origin)?.get(name); }

  setCookie(url: string, name: string, value: string): void {
    const { origin } = new URL(url);
    const jar = this.#cookies.get(origin) ?? new Map<string, string>();
    this.#cookies.set(origin, jar);
    if (value === '') jar.delete(name);
    else jar.set(name, value);
  }

  forget(url: string): void { this.#cookies.delete(new URL(url).origin); }

  async ask(url: string, { method = 'GET', body, headers = {} }: { method?: string; body?: unknown; headers?: Record<string, string> } = {}): Promise<RawReply> {
    const { origin, pathname, search } = new URL(url);
    const cookie = [...this.#cookies.get(origin) ?? []].map(([name, value]) => `${name}=${value}`).join('; ');
    const reply = await send(origin, {
      method, target: `${pathname}${search}`,
      headers: { ...(cookie === '' ? {} : { cookie }), ...(method === 'GET' ? {} : { origin }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    for (const given of reply.headers['set-cookie'] ?? []) {
      const [pair = ''] = given.split(';');
      const equals = pair.indexOf('=');
      this.setCookie(url, pair.slice(0, equals), pair.slice(equals + 1));
    }
    return reply;
  }

  /** Follows redirects until one leads to where `stop` says, or there is none; returns that address. */
  async follow(url: string, stop: (next: URL) => boolean = () => false): Promise<string> {
    let place = url;
    for (let hops = 0; hops < 12; hops += 1) {
      const { headers: { location }, status, text } = await this.ask(place);
      if (status >= 400) throw new Error(`${place}: ${status} ${text}`);
      if (location === undefined) return place;
      const next = new URL(location, place);
      if (stop(next)) return next.href;
      place = next.href;
    }
    throw new Error('too many redirects');
  }
}
