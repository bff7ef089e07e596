// transport.ts: one connection to the stream, by EventSource or by fetch. It never reconnects by itself:
// the browser's own reconnect would repeat the first request, with its snapshot, and hide when it happens.

import { kEventTypes } from './events.ts';
import { retryAfterMs } from './requests.ts';
import { SseReader } from './sse_reader.ts';

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

export function openFetch(
  fetchStream: typeof fetch, url: string, init: RequestInit, sink: TransportSink, signal: AbortSignal,
): void {
  const read = async () => {
    const response = await fetchStream(url, {
      ...init, headers: { ...init.headers as Record<string, string>, Accept: 'text/event-stream' }, signal,
    });
    const { status, body } = response;
    if (status !== 200 || !body || !/^text\/event-stream/.test(response.headers.get('content-type') ?? '')) {
      return sink.end({ kind: 'refused', status, retryMs: retryAfterMs(response) });
    }
    const parser = new SseReader((message) => sink.message(message.data, message.lastEventId));
    const decoder = new TextDecoder();
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      parser.feed(decoder.decode(value, { stream: true }));
    }
    sink.end({ kind: 'dropped', retryMs: parser.retryMs });
  };
  read().catch(() => sink.end({ kind: 'dropped' }));
}
