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
export interface HealthAnswer {
  name: string;
  status: string;
  version: string;
}

export class ApiError extends Error {
  constructor(readonly status: number, detail: string) {
    super(detail);
  }
  get credential(): boolean { return this.status === 401 || this.status === 403; }
}

export class Api {
  // `baseUrl` without a last slash.
  constructor(readonly baseUrl: string, private readonly token: () => string | undefined) {}

  devices(): Promise<DevicesAnswer> { return this.get('/api/devices', {}); }
  latest(query: { types: string }): Promise<LatestAnswer> { return this.get('/api/latest', query); }
  health(): Promise<HealthAnswer> { return this.get('/health', {}); }
  backfill(query: { types: string; order: 'asc' | 'desc'; limit: number; since?: string; cursor?: string }):
      Promise<BackfillAnswer> {
    return this.get('/api/events/backfill', query);
  }
  series(query: { deviceId: string; siteId: string; fields: string; start: string; end: string; points: number }):
      Promise<SeriesAnswer> {
    return this.get('/api/series', query);
  }

  private async get<Answer>(path: string, query: Record<string, string | number>): Promise<Answer> {
    const text = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)])).toString();
    const token = this.token();
    const response = await fetch(`${this.baseUrl}${path}${text && `?${text}`}`, {
      headers: { Accept: 'application/json', ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) },
      cache: 'no-store',
    });
    if (!response.ok) throw new ApiError(response.status, await problemDetail(response));
    return (await response.json()) as Answer;
  }
}

async function problemDetail(response: Response): Promise<string> {
  try {
    const problem = (await response.json()) as { detail?: unknown; title?: unknown };
    return String(problem.detail ?? problem.title ?? response.status);
  } catch {
    return String(response.status);
  }
}
