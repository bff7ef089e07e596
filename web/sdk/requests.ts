// requests.ts: the plain requests beside the stream.
//
// Limits   10 s each, the body included.
// Errors   no answer rejects; any status is an answer.

import type { ClientOptions } from './query.ts';

const kTimeoutMs = 10_000;

export class Requests {
  token: string | undefined;
  readonly #options: ClientOptions;
  readonly #pending = new Set<AbortController>();

  constructor(options: ClientOptions) {
    this.#options = options;
    this.token = options.token;
  }

  get fetch(): typeof fetch { return this.#options.fetch ?? globalThis.fetch.bind(globalThis); }
  url(path: string): string { return (this.#options.baseUrl ?? '') + path; }

  init(token = this.token): RequestInit {
    return {
      headers: token ? { Authorization: `Bearer ${token}` } : {},
      cache: 'no-store',
      credentials: this.#options.withCredentials ? 'include' : 'same-origin',
    };
  }

  async send<Answer>(path: string, take: (response: Response) => Answer, more?: RequestInit): Promise<Awaited<Answer>> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), kTimeoutMs);
    this.#pending.add(abort);
    try {
      return await take(await this.fetch(this.url(path), { ...this.init(), ...more, signal: abort.signal }));
    } finally {
      clearTimeout(timer);
      this.#pending.delete(abort);
    }
  }

  abort(): void {
    for (const abort of this.#pending) abort.abort();
  }
}

// How long an answer asks to be left alone. Undefined: it does not say.
export function retryAfterMs(response: Response): number | undefined {
  return Number(response.headers.get('retry-after')) * 1000 || undefined;
}
