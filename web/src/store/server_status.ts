// server_status.ts: everything the server tells of itself, in one reading.

import { ApiError, type Api } from '../api.ts';
import { parseMetrics, type MetricsHistory } from './metrics.ts';

export interface Stats {
  version: string;
  started: string;
  storage: string;
  streams: number;
  behind: number;
  slow: number;
  groups: number;
  queuedBytes: number;
  oldestQueueMs: number;
  fanOut: { topic: string; streams: number }[];
}

export interface ServerStatus {
  hasMetrics: boolean;        // no: not to be had from here
  notReady: string | undefined;
  started: string | undefined;
  storage: string | undefined;
  version: string;
  stats: Stats | undefined;   // of the account; not for everyone
}

// What the metrics say goes into `history`.
export async function readServerStatus(api: Api, history: MetricsHistory): Promise<ServerStatus> {
  const [metrics, ready, health, stats] = await Promise.all([
    unless(readMetrics(api), () => undefined),
    unless(api.get<{ started: string; storage: string }>('/ready'), (error) => error.message),
    unless(api.health(), () => undefined),
    unless(api.get<Stats>('/api/stats'), (error) => {
      if (error.status !== 403) throw error;
      return undefined;
    }),
  ]);
  if (metrics !== undefined) history.add({ atMs: Date.now(), metrics: parseMetrics(metrics) });
  const said = typeof ready === 'string' ? undefined : ready;
  return {
    hasMetrics: metrics !== undefined,
    notReady: typeof ready === 'string' ? ready : undefined,
    started: stats?.started ?? said?.started,
    storage: stats?.storage ?? said?.storage,
    version: stats?.version ?? health?.version ?? '',
    stats,
  };
}

async function readMetrics(api: Api): Promise<string> {
  return (await api.open('/metrics', { headers: { Accept: 'text/plain' } })).text();
}

// What the server refuses may be one part only; a server that is not reached is no answer at all.
async function unless<Answer, Else>(answer: Promise<Answer>, otherwise: (error: ApiError) => Else): Promise<Answer | Else> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof ApiError) || error.status === 401) throw error;
    return otherwise(error);
  }
}
