// names.ts: what both entries of the package have beside the client.

export type { ClientListeners, LiveStatus } from './client.ts';
export { compareEventIds, eventIdText, kZeroId, parseEventId, type EventId } from './event_id.ts';
export { past, type PastOptions } from './past.ts';
export type { ClientOptions } from './query.ts';
export type { OpenPast, Past, PastOwner, Share, Shareable, Sharing } from './seams.ts';
export { share } from './share.ts';
export { SseReader, type SseMessage } from './sse_reader.ts';
export type { EventSourceConstructor, EventSourceLike, StreamEnd, TransportSink } from './transport.ts';
export * from './events.ts';
