// api.ts: the REST side: one request, one checked answer.

import type { FieldValue, Presence, StreamEvent } from '../sdk/index.ts';

export interface DeviceAnswer {
  deviceId: string;
  siteId: string;
  topic: string;
  status: Presence;
  reason: string;
  lastSeen: string | null;
  ts: string | null;
  fields: Record<string, FieldValue>;
  tags?: Record<string, string>;
}
export interface DevicesAnswer {
  asOf: string;
  devices: DeviceAnswer[];
}
export interface LatestAnswer {
  asOf: string;
  events: StreamEvent[];
}
export interface BackfillAnswer {
  events: StreamEvent[];
  next: string | null;
  last: string;
}
export interface SeriesBucket {
  t: string;
  min: number;
  max: number;
  avg: number;
  last: number;
  count: number;
}
export interface SeriesAnswer {
  deviceId: string;
  topic: string;
  start: string;
  end: string;
  stepMs: number;
  series: Record<string, SeriesBucket[]>;
  truncated: boolean;
}
export type SeriesQuery = { deviceId: string; siteId: string; fields: string; start: string; end: string; points: number };
export interface HealthAnswer {
  name: string;
  status: string;
  version: string;
}

// Who a credential stands for, and what it may see.
export interface Who {
  kind: 'session' | 'key' | 'token' | 'development';
  subject: string;           // "user:anna"
  account: string;
  roles: string[];
  sites: string[] | null;    // null: all
  devices: string[] | null;
  expiresAt: string | null;  // null: not by itself
}

// What is wrong in one place of what was sent: "levels[0].value".
export interface Wrong {
  path: string;
  reason: string;
}

export class ApiError extends Error {
  // `retryAfterS`: the pause the server asked for.
  constructor(readonly status: number, detail: string, readonly retryAfterS?: number, readonly errors: Wrong[] = []) {
    super(detail);
  }
  get credential(): boolean { return this.status === 401 || this.status === 403; }
}

// A server that does not say who this is within this time counts as not reached: the page should not wait for it.
const kWhoTimeoutMs = 5_000;
// Checking a password is slow on purpose, and signing in may have to queue for it.
const kSignTimeoutMs = 30_000;

export class Api {
  closed = false;  // nobody is signed in: reading is refused here, without a request

  // `baseUrl` without a last slash.
  constructor(readonly baseUrl: string, private readonly token: () => string | undefined) {}

  me(token = this.token()): Promise<Who> {
    return this.read('/api/me', { headers: bearer(token), signal: AbortSignal.timeout(kWhoTimeoutMs) });
  }
  // The browser keeps the cookie that comes with the answer; no script ever sees it.
  login(user: string, password: string): Promise<Who> {
    return this.read('/api/login', {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ user, password }),
      signal: AbortSignal.timeout(kSignTimeoutMs),
    });
  }
  async logout(): Promise<void> {
    await this.send('/api/logout', { method: 'POST', signal: AbortSignal.timeout(kSignTimeoutMs) });
  }

  devices(): Promise<DevicesAnswer> { return this.get('/api/devices', {}); }
  latest(query: { types: string }): Promise<LatestAnswer> { return this.get('/api/latest', query); }
  health(): Promise<HealthAnswer> { return this.get('/health', {}); }
  backfill(query: { types: string; order: 'asc' | 'desc'; limit: number; since?: string; cursor?: string }):
      Promise<BackfillAnswer> {
    return this.get('/api/events/backfill', query);
  }
  series(query: SeriesQuery): Promise<SeriesAnswer> { return this.get('/api/series', query); }

  // What is undefined in the query is left out.
  get<Answer>(path: string, query: Query = {}): Promise<Answer> {
    return this.read(`${path}${queryText(query)}`, { headers: this.authorized() });
  }
  // Answers 204 give undefined.
  async change<Answer>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown, headers: Record<string, string> = {}):
      Promise<Answer> {
    const response = await this.send(path, {
      method, headers: { ...this.authorized(), ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (response.status === 204 ? undefined : await response.json()) as Answer;
  }
  // The whole answer, for what is no JSON and for its headers.
  open(path: string, init: RequestInit = {}): Promise<Response> {
    return this.send(path, { ...init, headers: { ...this.authorized(), ...init.headers } });
  }

  private authorized(): Record<string, string> {
    if (this.closed) throw new ApiError(401, 'signed out');
    return bearer(this.token());
  }

  private async read<Answer>(path: string, init: RequestInit): Promise<Answer> {
    return (await (await this.send(path, init)).json()) as Answer;
  }

  private async send(path: string, init: RequestInit): Promise<Response> {
    const headers = { Accept: 'application/json', ...init.headers };
    const response = await fetch(`${this.baseUrl}${path}`, { ...init, headers, cache: 'no-store' });
    if (response.ok) return response;
    const seconds = Number(response.headers.get('retry-after') ?? NaN);
    const { detail, errors } = await problem(response);
    throw new ApiError(response.status, detail, Number.isFinite(seconds) ? seconds : undefined, errors);
  }
}

function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` };
}

export type Query = Record<string, string | number | undefined>;

export function queryText(query: Query): string {
  const said = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(said.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

async function problem(response: Response): Promise<{ detail: string; errors: Wrong[] }> {
  try {
    const said = (await response.json()) as { detail?: unknown; title?: unknown; errors?: unknown };
    return {
      detail: String(said.detail ?? said.title ?? response.status),
      errors: Array.isArray(said.errors) ? (said.errors as Wrong[]) : [],
    };
  } catch {
    return { detail: String(response.status), errors: [] };
  }
}
