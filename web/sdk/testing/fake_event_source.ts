// fake_event_source.ts: an EventSource that a test plays the server of.

import type { EventSourceLike } from '../transport.ts';

export class FakeEventSource implements EventSourceLike {
  static opened: FakeEventSource[] = [];
  static get last(): FakeEventSource { return FakeEventSource.opened[FakeEventSource.opened.length - 1]!; }

  readyState = 0;
  onerror: ((event: Event) => unknown) | null = null;
  private readonly listeners = new Map<string, ((event: MessageEvent) => void)[]>();

  constructor(readonly url: string) { FakeEventSource.opened.push(this); }

  get query(): URLSearchParams { return new URLSearchParams(this.url.split('?')[1] ?? ''); }

  addEventListener(type: string, listener: (event: MessageEvent) => void): void {
    this.listeners.set(type, [...(this.listeners.get(type) ?? []), listener]);
  }
  close(): void { this.readyState = 2; }

  send(name: string, data: unknown, lastEventId = ''): void {
    this.readyState = 1;
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    for (const listener of this.listeners.get(name) ?? []) listener({ data: text, lastEventId } as MessageEvent);
  }
  block(kind: string, more: Record<string, unknown> = {}, lastEventId = ''): void {
    this.send('system', { ts: '2026-01-27T12:34:56.789Z', type: 'system', data: { kind, ...more } }, lastEventId);
  }
  hello(cursor: string, resumed = false): void {
    this.block('hello', { cursor, node: 'n1', heartbeatMs: 20000, mode: 'all', topics: [], resumed }, cursor);
  }
  telemetry(id: string, fields: Record<string, unknown> = { T1: 1 }, more: Record<string, unknown> = {}): void {
    this.send('telemetry', {
      id, ts: '2026-01-27T12:34:56.789Z', topic: 'account:1/site:2/device:d', type: 'telemetry',
      data: { deviceId: 'd', fields }, ...more,
    });
  }
  // The connection breaks; a browser would try again by itself.
  drop(): void {
    this.readyState = 0;
    this.onerror?.(new Event('error'));
  }
  // Any answer that is not an event stream: a browser gives up for good.
  refuse(): void {
    this.readyState = 2;
    this.onerror?.(new Event('error'));
  }
}
