// transport.ts: one connection to the stream, by EventSource or by fetch (fetch_transport.ts). It never reconnects by itself:
// the browser's own reconnect would repeat the first request, with its snapshot, and hide when it happens.

import { kEventTypes } from './events.ts';

export interface StreamEnd {
  // refused: the server answered, but not with a stream. paused: on purpose, until someone reopens it.
  kind: 'dropped' | 'refused' | 'paused';
  status?: number | undefined;   // of the answer; EventSource does not tell it. 0: nothing that is to be looked into
  retryMs?: number | undefined;  // asked for by the server
}

// Deaf once its connection has been aborted.
export interface TransportSink {
  message(data: string, lastEventId: string): void;
  end(why: StreamEnd): void;  // the owner then aborts the connection
}

export interface EventSourceLike {
  readonly readyState: number;
  addEventListener(type: string, listener: (event: MessageEvent) => void): void;
  onerror: ((event: Event) => unknown) | null;
  close(): void;
}
export type EventSourceConstructor = new (url: string, init?: { withCredentials?: boolean }) => EventSourceLike;

const kClosed = 2;  // EventSource.CLOSED

export function openEventSource(
  source: EventSourceConstructor, url: string, withCredentials: boolean, sink: TransportSink, signal: AbortSignal,
): void {
  const stream = new source(url, { withCredentials });
  for (const name of [...kEventTypes, 'message']) {
    stream.addEventListener(name, (event) => sink.message(String(event.data), event.lastEventId));
  }
  stream.onerror = () => sink.end({ kind: stream.readyState === kClosed ? 'refused' : 'dropped' });
  signal.addEventListener('abort', () => stream.close());
}

export type OpenFetch = (
  fetchStream: typeof fetch, url: string, init: RequestInit, sink: TransportSink, signal: AbortSignal,
) => void;
