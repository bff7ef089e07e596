// fake_server.ts: a log of events and its backfill, for clients under test.

import { compareEventIds, parseEventId } from '../event_id.ts';

export const kNow = 1_769_517_300_000;

const less = (a: string, b: string) => compareEventIds(parseEventId(a)!, parseEventId(b)!) < 0;

export function telemetry(id: string, fields: Record<string, unknown> = { T1: 1 }, more: Record<string, unknown> = {}): object {
  return {
    id, ts: '2026-01-27T12:34:56.789Z', topic: 'account:1/site:2/device:d', type: 'telemetry',
    data: { deviceId: 'd', fields }, ...more,
  };
}

// Each request is answered from the log, after what `gate` waits for; `status`: with that instead.
export class FakeServer {
  log: { id: string }[] = [];
  missing: object[] | undefined;
  status = 200;  // 0: no answer
  pageEvents = 1_000;
  gate: Promise<void> | undefined;
  readonly asked: { path: string; query: Record<string, string>; init: RequestInit | undefined }[] = [];

  get ranges(): string[] { return this.asked.map(({ query }) => `${query.since}..${query.until}`); }

  // "3-0" to "5-0": three events.
  fill(from: number, to: number): void {
    for (let i = from; i <= to; ++i) this.log.push(telemetry(`${i}-0`) as { id: string });
  }

  readonly fetch = (async (url: string, init?: RequestInit) => {
    const { pathname, searchParams } = new URL(url, 'http://server');
    this.asked.push({ path: pathname, query: Object.fromEntries(searchParams), init });
    if (this.gate) await this.gate;
    init?.signal?.throwIfAborted();
    if (this.status === 0) throw new TypeError('network');
    return new Response(this.status === 200 ? JSON.stringify(this.#page(searchParams)) : '{}', { status: this.status });
  }) as typeof fetch;

  #page(query: URLSearchParams): object {
    const since = query.get('since') ?? '';
    const until = query.get('until')!;
    const found = this.log.filter(({ id }) => (!parseEventId(since) || less(since, id)) && !less(until, id));
    const events = found.slice(0, this.pageEvents);
    const more = found.length > events.length;
    return { events, next: more ? events.at(-1)!.id : null, last: until, ...(this.missing ? { missing: this.missing } : {}) };
  }
}
