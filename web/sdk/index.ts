export { MillstreamClient, type ClientListeners, type ClientOptions, type LiveStatus } from './client.ts';
export { compareEventIds, kZeroId, parseEventId, type EventId } from './event_id.ts';
export { SseReader, type SseMessage } from './sse_reader.ts';
export type { EventSourceConstructor, EventSourceLike } from './transport.ts';
export * from './events.ts';
