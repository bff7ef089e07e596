// fetch_transport.ts: one connection to the stream, read with fetch: with a token in its header, and where there is no
// EventSource.

import { retryAfterMs } from './requests.ts';
import { SseReader } from './sse_reader.ts';
import type { OpenFetch } from './transport.ts';

export const openFetch: OpenFetch = (fetchStream, url, init, sink, signal) => {
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
};
