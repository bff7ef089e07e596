// seams.ts: between a client and what it does only for those who ask for it: reading the past (past.ts) and sharing one
// stream between tabs (share.ts). Who does not import these does not load them.

import type { EventId } from './event_id.ts';
import type { Gap, StreamEvent } from './events.ts';
import type { ClientOptions } from './query.ts';
import type { TransportSink } from './transport.ts';

// What the reading of the past may ask of its client.
export interface PastOwner {
  readonly options: ClientOptions;
  send<Answer>(path: string, take: (response: Response) => Answer): Promise<Awaited<Answer>>;
  event(event: StreamEvent): void;
  gap(gap: Gap): void;
  malformed(): void;
  refused(status: number): void;
  random(): number;
}

export interface Past {
  readonly busy: boolean;           // events are held
  readonly at: string | undefined;  // while busy: up to where has been told; undefined: nothing yet
  put(event: StreamEvent): void;    // from the stream
  joined(ts: string, at: EventId): void;  // the stream, and its snapshot if any, stands here
  gap(gap: Gap): void;
  start(): void;                    // after stop(); otherwise it starts by itself
  stop(): void;
}

export type OpenPast = (owner: PastOwner) => Past;

// What a sharing may ask of its client.
export interface Shareable {
  readonly key: string;                  // the same for all that may share
  position(): string | undefined;        // the stream resumes after this id
  snapshotDue(): boolean;
  open(sink: TransportSink, signal: AbortSignal): void;  // a connection of its own, at this position
  reopen(): void;                        // without waiting for the backoff
  refused(status: number): void;         // the credential, with 401 or 403
}

export interface Sharing {
  open(sink: TransportSink, signal: AbortSignal): void;
  close(status?: number): void;  // the client is closed; with the status that refused its credential, so are the others
}

export type Share = (client: Shareable) => Sharing;
