// transport.ts: one connection to the stream, by EventSource or by fetch. It never reconnects by itself:
// the browser's own reconnect would repeat the first request, with its snapshot, and hide when it happens.

import { retryAfterMs } from './requests.ts';
import { SseReader } from './sse_reader.ts';

export type StreamEnd =
  | { kind: 'dropped'; retryMs?: number | undefined }
  // The server answered, but not with a stream. EventSource does not tell the status.
  | { kind: 'refused'; status?: number | undefined; retryMs?: number | undefined }
  | { kind: 'paused' };  // on purpose, until someone reopens it

export interface TransportSink {
  message(data: string, lastEventId: string): void;
  end(why: StreamEnd): void;  // never after close(); the owner then closes the transport
}

export interface Transport {
  close(): void;
}

export interface EventSourceLike {
  readonly readyState: number;
  addEventListener(type: string, listener: (event: MessageEvent) => void): void;
  onerror: ((event: Event) => unknown) | null;
  close(): void;
}
export type EventSourceConstructor = new (url: string, init?: { withCredentials?: boolean }) => EventSourceLike;

const kEventNames = ['telemetry', 'alert', 'device_status', 'system', 'message'];
const kClosed = 2;  // EventSource.CLOSED

export function openEventSource(
  source: EventSourceConstructor, url: string, withCredentials: boolean, sink: TransportSink,
): Transport {
  const stream = new source(url, { withCredentials });
  for (const name of kEventNames) {
    stream.addEventListener(name, (event) => sink.message(String(event.data), event.lastEventId));
  }
  stream.onerror = () => {
    sink.end(stream.readyState === kClosed ? { kind: 'refused' } : { kind: 'dropped' });
  };
  return {
    close() {
      stream.onerror = null;
      stream.close();
    },
  };
}

export function openFetch(
  fetchStream: typeof fetch, url: string, token: string | undefined, withCredentials: boolean, sink: TransportSink,
): Transport {
  const abort = new AbortController();
  let open = true;
  const end = (why: StreamEnd) => {
    if (!open) return;
    open = false;
    abort.abort();
    sink.end(why);
  };
  const read = async () => {
    const response = await fetchStream(url, {
      headers: { Accept: 'text/event-stream', ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) },
      cache: 'no-store',
      credentials: withCredentials ? 'include' : 'same-origin',
      signal: abort.signal,
    });
    const type = response.headers.get('content-type') ?? '';
    if (response.status !== 200 || !response.body || !type.startsWith('text/event-stream')) {
      return end({ kind: 'refused', status: response.status, retryMs: retryAfterMs(response) });
    }
    const parser = new SseReader((message) => {
      if (open) sink.message(message.data, message.lastEventId);
    });
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      parser.feed(decoder.decode(value, { stream: true }));
    }
    end({ kind: 'dropped', retryMs: parser.retryMs });
  };
  read().catch(() => end({ kind: 'dropped' }));
  return {
    close() {
      open = false;
      abort.abort();
    },
  };
}
