import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { MillstreamClient, type ClientOptions } from './client.ts';
import type { StreamEvent } from './events.ts';

// An EventSource that does what the test says.
class FakeSource {
  static all: FakeSource[] = [];
  readyState = 0;
  onerror: ((event: Event) => unknown) | null = null;
  closed = false;
  private readonly listeners = new Map<string, (event: MessageEvent) => void>();

  constructor(readonly url: string) { FakeSource.all.push(this); }
  addEventListener(type: string, listener: (event: MessageEvent) => void): void { this.listeners.set(type, listener); }
  close(): void { this.closed = true; this.readyState = 2; }

  say(type: string, json: unknown, lastEventId = ''): void {
    this.listeners.get(type)?.({ data: JSON.stringify(json), lastEventId } as MessageEvent);
  }
  hello(cursor: string, resumed = false): void {
    this.say('system', { ts: 't', type: 'system', data: { kind: 'hello', cursor, resumed } }, cursor);
  }
  telemetry(id: string, extra: object = {}): void {
    this.say('telemetry', { id, ts: 't', topic: 'account:1/site:1/device:1', type: 'telemetry', data: { deviceId: '1', fields: {} }, ...extra });
  }
  drop(): void { this.readyState = 0; this.onerror?.(new Event('error')); }
  refuse(): void { this.readyState = 2; this.onerror?.(new Event('error')); }

  static get last(): FakeSource { return FakeSource.all[FakeSource.all.length - 1]!; }
}

function connected(options: ClientOptions = {}) {
  const client = new MillstreamClient({ eventSource: FakeSource, random: () => 0.5, ...options });
  const ids: string[] = [];
  client.onEvent((event: StreamEvent) => ids.push(event.id));
  client.connect();
  FakeSource.last.hello('100-0');
  return { client, ids };
}

describe('MillstreamClient', () => {
  beforeEach(() => { vi.useFakeTimers(); FakeSource.all = []; });
  afterEach(() => { vi.useRealTimers(); });

  test('asks for a snapshot once and resumes after the newest id', () => {
    const { client } = connected({ snapshot: 'latest' });
    expect(FakeSource.last.url).toContain('snapshot=latest');
    expect(client.status.state).toBe('connected');
    FakeSource.last.telemetry('50-1', { snapshot: true });
    FakeSource.last.say('system', { ts: 't', type: 'system', data: { kind: 'snapshot', complete: true, count: 1 } });
    FakeSource.last.telemetry('101-0');
    FakeSource.last.drop();
    vi.advanceTimersByTime(500);
    expect(FakeSource.all).toHaveLength(2);
    expect(FakeSource.last.url).toContain('lastEventId=101-0');
    expect(FakeSource.last.url).not.toContain('snapshot');
  });

  test('passes an event on once, in order of ms and then seq as numbers', () => {
    const { client, ids } = connected();
    for (const id of ['101-9', '101-10', '101-9', '101-10', '1000-0']) FakeSource.last.telemetry(id);
    expect(ids).toEqual(['101-9', '101-10', '1000-0']);
    expect(client.duplicates).toBe(2);
  });

  test('an event that the previous connection still delivers is not heard', () => {
    const { ids } = connected();
    const first = FakeSource.last;
    first.drop();
    first.telemetry('200-0');
    expect(ids).toEqual([]);
    expect(first.closed).toBe(true);
  });

  test('waits longer after every failure, never beyond the cap', () => {
    const { client } = connected({ backoffBaseMs: 1000, backoffCapMs: 8000, random: () => 1 });
    const waits: number[] = [];
    for (let i = 0; i < 6; ++i) {
      FakeSource.last.drop();
      if (client.status.state !== 'reconnecting') throw new Error(client.status.state);
      waits.push(client.status.retryAt! - Date.now());
      vi.advanceTimersByTime(waits[i]!);
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 8000, 8000]);
  });

  test('silence longer than the watchdog is a lost connection; a heartbeat is not silence', () => {
    const { client } = connected({ watchdogMs: 60_000 });
    for (let i = 0; i < 5; ++i) {
      vi.advanceTimersByTime(20_000);
      FakeSource.last.say('system', { ts: 't', type: 'system', data: { kind: 'heartbeat', cursor: '100-0', lag: 0 } });
    }
    expect(client.status.state).toBe('connected');
    vi.advanceTimersByTime(59_000);
    expect(client.status.state).toBe('connected');
    vi.advanceTimersByTime(1_001);
    expect(client.status.state).toBe('reconnecting');
  });

  test('a refusal that is 401 ends in signin and does not hammer', async () => {
    const fetch = vi.fn(async () => new Response('', { status: 401 }));
    const { client } = connected({ fetch: fetch as unknown as typeof globalThis.fetch });
    FakeSource.last.refuse();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(client.status.state).toBe('signin');
    expect(fetch).toHaveBeenCalledTimes(1);
    expect(FakeSource.all).toHaveLength(1);
  });

  test('a refusal that is 503 is tried again', async () => {
    const fetch = vi.fn(async () => new Response('', { status: 503 }));
    const { client } = connected({ fetch: fetch as unknown as typeof globalThis.fetch });
    FakeSource.last.refuse();
    await vi.advanceTimersByTimeAsync(40_000);
    expect(FakeSource.all.length).toBeGreaterThan(1);
    FakeSource.last.hello('100-0', true);
    expect(client.status.state).toBe('connected');
  });

  test('a gap is told, and live goes on after it', () => {
    const { client, ids } = connected();
    const gaps: unknown[] = [];
    client.onGap((gap) => gaps.push(gap));
    FakeSource.last.say('system', { ts: 't', type: 'system', data: { kind: 'gap', from: '100-0', to: '500-0', reason: 'too_many', backfill: '/b' } });
    FakeSource.last.telemetry('400-0');
    FakeSource.last.telemetry('501-0');
    expect(gaps).toEqual([{ from: '100-0', to: '500-0', reason: 'too_many', backfill: '/b' }]);
    expect(ids).toEqual(['501-0']);
  });

  test('with a token it reads by fetch and sends it as Bearer', async () => {
    const body = 'id: 100-0\nevent: system\ndata: {"ts":"t","type":"system","data":{"kind":"hello","cursor":"100-0"}}\n\n';
    const fetch = vi.fn(async (_url: string, _init: RequestInit) =>
      new Response(body, { status: 200, headers: { 'content-type': 'text/event-stream; charset=utf-8' } }));
    const client = new MillstreamClient({ token: 'abc', eventSource: FakeSource, fetch: fetch as unknown as typeof globalThis.fetch });
    client.connect();
    await vi.advanceTimersByTimeAsync(0);
    expect(FakeSource.all).toHaveLength(0);
    expect((fetch.mock.calls[0]![1].headers as Record<string, string>).Authorization).toBe('Bearer abc');
    expect(client.cursor).toBe('100-0');
    client.close();
    expect(client.status.state).toBe('closed');
  });
});
