// client.ts: a stream that stays: connects, resumes after the newest event seen, reads what is missing, and says how it
// stands.
//
// Flow     connect() -> hello -> snapshot (first connect only) -> history -> live. Any end -> wait with full jitter -> connect
//          with lastEventId. A gap -> what is missing is read and told before what follows it. Silence longer than the
//          watchdog counts as an end.
// Limits   events go to their listeners at once; they are held only while the past is read (past.ts).
// Errors   none thrown; 401 and 403 end in the status "signin" and nothing more is sent until setToken() or retryNow().

import { fullJitterMs } from './backoff.ts';
import { compareEventIds, eventIdText, parseEventId, type EventId } from './event_id.ts';
import { parseMessage, type Gap, type StreamEvent, type SystemBlock, type SystemData } from './events.ts';
import { queryText, selectors, type ClientOptions } from './query.ts';
import { Requests, retryAfterMs } from './requests.ts';
import type { Past, Sharing } from './seams.ts';
import {
  openEventSource, type EventSourceConstructor, type OpenFetch, type StreamEnd, type TransportSink,
} from './transport.ts';

export type LiveStatus =
  | { state: 'connecting' }
  | { state: 'connected' }
  | { state: 'reconnecting'; retryAt: number | null; attempt: number }  // null: trying at this moment
  | { state: 'signin' }
  | { state: 'closed' };

export interface ClientListeners {
  /** every event once, in id order; snapshot events are marked */
  event: (event: StreamEvent) => void;
  /** events that are missing and could not be read */
  gap: (gap: Gap) => void;
  status: (status: LiveStatus) => void;
  /** hello, heartbeat, snapshot, draining, … */
  block: (block: SystemBlock) => void;
}

// A connection that ends sooner than this does not reset the backoff: a server that greets and hangs up is not up.
const kStableMs = 5_000;
// How long a server that is leaving or full is left alone when it does not say: the contract's `retry:` range.
const kLeaveMinMs = 2_000;
const kLeaveMaxMs = 10_000;

export class StreamClient {
  duplicates = 0;  // events that came again and were passed over
  malformed = 0;   // messages that are not what the contract says

  readonly #options: ClientOptions;
  readonly #openFetch: OpenFetch | undefined;
  readonly #requests: Requests;
  readonly #past: Past | undefined;
  readonly #listeners: { [K in keyof ClientListeners]: Set<ClientListeners[K]> } =
    { event: new Set(), gap: new Set(), status: new Set(), block: new Set() };

  #status: LiveStatus = { state: 'closed' };
  #position: EventId | undefined;  // the stream resumes after it
  #newest: EventId | undefined;    // ahead of the position within a row of merged events, which comes again as a whole
  #snapshotDue: boolean;
  #sharing: Sharing | undefined;
  #connection = new AbortController();  // callbacks of an earlier one are deaf
  #attempt = 0;
  #connectedAt = 0;
  #heardAt = 0;
  #quietSince = 0;  // what the watchdog counts from: the newest message, or the start of the connection
  #leaveMs: number | undefined;  // asked by the server to come back after this
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #watchdogTimer: ReturnType<typeof setTimeout> | undefined;

  // Without `openFetch` only an EventSource brings the stream: a token then always goes by tickets.
  constructor(options: ClientOptions = {}, openFetch?: OpenFetch) {
    this.#options = options;
    this.#openFetch = openFetch;
    this.#requests = new Requests(options);
    this.#position = this.#newest = parseEventId(options.lastEventId);
    this.#snapshotDue = options.snapshot === 'latest' && !this.#position;
    this.#past = options.past?.({
      options,
      send: (path, take) => this.#requests.send(path, take),
      event: (event) => this.#emit('event', event),
      gap: (gap) => this.#emit('gap', gap),
      malformed: () => { ++this.malformed; },
      refused: this.#refused,
      random: this.#random,
    });
  }

  get status(): LiveStatus { return this.#status; }
  // Id of the newest event told: where a later page would resume.
  get cursor(): string | undefined { return this.#past?.busy ? this.#past.at : this.#positionText(); }
  // When anything last came from the server, epoch ms; 0: never.
  get lastHeardAt(): number { return this.#heardAt; }

  on<Name extends keyof ClientListeners>(name: Name, listener: ClientListeners[Name]): () => void {
    this.#listeners[name].add(listener);
    return () => { this.#listeners[name].delete(listener); };
  }
  onEvent(listener: ClientListeners['event']): () => void { return this.on('event', listener); }
  onGap(listener: ClientListeners['gap']): () => void { return this.on('gap', listener); }
  onStatus(listener: ClientListeners['status']): () => void { return this.on('status', listener); }

  connect(): void {
    if (this.#status.state !== 'closed') return;
    this.#attempt = 0;
    this.#open({ state: 'connecting' });
  }

  close(): void {
    this.#leave({ state: 'closed' });
  }

  // Does not wait for the backoff. Nothing when a connection is there or just being made.
  retryNow(): void {
    const waiting = this.#status.state === 'reconnecting' && this.#status.retryAt !== null;
    if (waiting || this.#status.state === 'signin') this.#reopen();
  }

  // Another credential, or (undefined) the browser's cookies. Reconnects at once.
  setToken(token: string | undefined): void {
    this.#requests.token = token;
    this.#attempt = 0;
    this.#stop();
    this.#unshare();  // with others, under another key
    if (this.#status.state !== 'closed') this.#reopen();
  }

  #positionText(): string | undefined { return this.#position && eventIdText(this.#position); }

  #view(): Record<string, unknown> {
    const { fields, minSeverity, mode, intervalMs: interval } = this.#options;
    return { ...selectors(this.#options), fields, minSeverity, mode, interval };
  }

  #url(ticket?: string): string {
    const start = this.#snapshotDue ? { snapshot: 'latest' } : { lastEventId: this.#positionText() };
    const since = this.#position ? undefined : this.#options.since;
    return this.#requests.url(`/api/stream${queryText({ ...this.#view(), ...start, since, ticket })}`);
  }

  #reopen(): void {
    this.#open({ state: 'reconnecting', retryAt: null, attempt: this.#attempt });
  }

  #open(status: LiveStatus): void {
    const { signal } = this.#stop();
    const sink: TransportSink = {
      message: (data, lastEventId) => { if (!signal.aborted) this.#takeMessage(data, lastEventId); },
      end: (why) => { if (!signal.aborted) void this.#takeEnd(why); },
    };
    this.#setStatus(status);
    if (signal.aborted) return;  // a listener closed us
    this.#past?.start();
    this.#sharing ??= this.#options.share?.({
      key: this.#requests.url(`${queryText(this.#view())} ${this.#options.shareKey ?? ''} ${this.#requests.token ?? ''}`),
      position: () => this.#positionText(),
      snapshotDue: () => this.#snapshotDue,
      open: this.#connect,
      reopen: () => { if (this.#status.state === 'reconnecting') this.#reopen(); },
      refused: this.#refused,
    });
    (this.#sharing ?? { open: this.#connect }).open(sink, signal);
    this.#quietSince = Date.now();
    this.#watch();
  }

  get #byTicket(): boolean { return !!(this.#options.ticket ?? (this.#requests.token && !this.#openFetch)); }

  // A connection of our own; with tickets once there is one.
  readonly #connect = async (sink: TransportSink, signal: AbortSignal): Promise<void> => {
    if (!this.#byTicket) return this.#dial(sink, signal);
    const ticket = await this.#ticket().catch((error): StreamEnd => ({ kind: 'refused', status: Number(error?.status) || 0 }));
    if (signal.aborted) return;
    if (typeof ticket !== 'string') return sink.end(ticket);
    // Whether the credential still holds shows when the next ticket is asked for.
    const end = (why: StreamEnd) => sink.end({ ...why, status: 0 });
    this.#dial({ message: sink.message, end }, signal, ticket);
  };

  #dial(sink: TransportSink, signal: AbortSignal, ticket?: string): void {
    // Where there is no EventSource (Node), fetch does as well.
    const source = this.#options.eventSource ?? (globalThis.EventSource as EventSourceConstructor | undefined);
    const requests = this.#requests;
    if (this.#openFetch && !(source && (ticket || !requests.token))) {
      this.#openFetch(requests.fetch, this.#url(ticket), requests.init(ticket ? '' : requests.token), sink, signal);
    } else {
      openEventSource(source!, this.#url(ticket), this.#options.withCredentials ?? false, sink, signal);
    }
  }

  async #ticket(): Promise<string | StreamEnd> {
    const { ticket, topics, types } = this.#options;
    if (typeof ticket === 'function') return ticket();
    return this.#requests.send('/api/stream-token', async (response): Promise<string | StreamEnd> => response.ok
      ? (await response.json() as { ticket: string }).ticket
      : { kind: 'refused', status: response.status, retryMs: retryAfterMs(response) },
    { method: 'POST', body: JSON.stringify({ topics, types }) });
  }

  // Ends what is there; gives what the next connection belongs to.
  #stop(): AbortController {
    this.#connection.abort();
    this.#connectedAt = 0;
    this.#leaveMs = undefined;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#watchdogTimer);
    return this.#connection = new AbortController();
  }

  #unshare(status?: number): void {
    this.#sharing?.close(status);
    this.#sharing = undefined;
  }

  // Nothing more is sent.
  #leave(status: LiveStatus, refused?: number): void {
    this.#unshare(refused);
    this.#stop();
    this.#past?.stop();
    this.#requests.abort();
    this.#setStatus(status);
  }

  readonly #refused = (status: number): void => this.#leave({ state: 'signin' }, status);

  // One timer, moved on only when it rings: re-arming it for every event would cost more than the events.
  #watch(): void {
    const left = this.#quietSince + (this.#options.watchdogMs ?? 60_000) - Date.now();
    if (left <= 0) return void this.#takeEnd({ kind: 'dropped' });
    this.#watchdogTimer = setTimeout(() => this.#watch(), left);
  }

  #takeMessage(text: string, lastEventId: string): void {
    this.#heardAt = this.#quietSince = Date.now();
    const message = parseMessage(text);
    if (!message) ++this.malformed;
    else if ('block' in message) this.#takeBlock(message.block, lastEventId);
    else this.#takeEvent(message.event, lastEventId);
  }

  #takeBlock(block: SystemBlock, lastEventId: string): void {
    const { data } = block;
    if (data.kind === 'hello') this.#takeHello(block, lastEventId);
    else if (data.kind === 'gap') this.#takeGap(data);
    else if (data.kind === 'snapshot') this.#snapshotDone(block.ts);
    else if (data.kind === 'heartbeat') this.#setConnected();
    else if (data.kind === 'auth_expired') void this.#takeEnd({ kind: 'refused' });  // asks once instead of trying in vain
    else if (data.kind === 'draining' || data.kind === 'overloaded') this.#leaveMs = this.#leaveAfterMs(data);
    this.#emit('block', block);
  }

  #takeHello({ ts, data }: SystemBlock, lastEventId: string): void {
    // A resumed stream still has to bring everything after our own position, and one that could not resume says from
    // where in a gap: the connection may break before that comes.
    if (!this.#position || this.#snapshotDue) this.#moveTo(parseEventId(data.cursor) ?? parseEventId(lastEventId));
    this.#setConnected();
    if (!this.#snapshotDue) this.#joined(ts);
  }

  #snapshotDone(ts: string): void {
    this.#snapshotDue = false;
    this.#joined(ts);
  }

  #joined(ts: string): void {
    if (this.#position) this.#past?.joined(ts, this.#position);
  }

  #takeGap({ from, to, reason, backfill }: SystemData): void {
    const gap = { from: from ?? null, to: to ?? null, reason: reason ?? 'unknown', ...(backfill ? { backfill } : {}) } as Gap;
    // Live goes on after `to`, also when our position was foreign and therefore greater.
    this.#moveTo(parseEventId(to));
    if (this.#past) this.#past.gap(gap);
    else this.#emit('gap', gap);
  }

  #moveTo(id: EventId | undefined): void {
    if (id) this.#position = this.#newest = id;
  }

  #takeEvent(event: StreamEvent, lastEventId: string): void {
    this.#setConnected();
    if (event.snapshot) return this.#emit('event', event);
    const id = parseEventId(event.id);
    if (!id) {
      ++this.malformed;
      return;
    }
    if (this.#newest && compareEventIds(id, this.#newest) <= 0) {
      ++this.duplicates;
      return;
    }
    if (this.#snapshotDue) this.#snapshotDone(event.ts);
    const resume = parseEventId(lastEventId);
    this.#position = resume && compareEventIds(resume, id) < 0 ? resume : id;
    this.#newest = id;
    if (this.#past) this.#past.put(event);
    else this.#emit('event', event);
  }

  #leaveAfterMs(data: SystemData): number {
    if (typeof data.retryMs === 'number' && data.retryMs >= 0) return data.retryMs;
    return kLeaveMinMs + Math.round(this.#random() * (kLeaveMaxMs - kLeaveMinMs));
  }

  async #takeEnd({ kind, status, retryMs }: StreamEnd): Promise<void> {
    const leaveMs = this.#leaveMs && (retryMs ?? this.#leaveMs);
    if (this.#connectedAt && Date.now() - this.#connectedAt >= kStableMs) this.#attempt = 0;
    const { signal } = this.#stop();
    if (kind !== 'dropped') {
      this.#setStatus({ state: 'reconnecting', retryAt: null, attempt: this.#attempt });
      if (kind === 'paused') return;
      status ??= this.#byTicket ? 0 : await this.#probe();
      if (signal.aborted) return;
      if (status === 401 || status === 403) return this.#refused(status);
      if (status === 204) return this.close();  // "do not come back"
    }
    this.#schedule(leaveMs ?? (kind === 'refused' ? retryMs : 0));
  }

  // Why the stream was refused: EventSource does not say, a plain request does. 0: no answer.
  #probe(): Promise<number> {
    return this.#requests.send('/api/devices', (response) => {
      void response.body?.cancel();
      return response.status;
    }).catch(() => 0);
  }

  #schedule(askedMs = 0): void {
    const { backoffBaseMs = 1_000, backoffCapMs = 30_000 } = this.#options;
    const delay = Math.max(askedMs, fullJitterMs(this.#attempt, backoffBaseMs, backoffCapMs, this.#random));
    ++this.#attempt;
    this.#retryTimer = setTimeout(() => this.#reopen(), delay);
    this.#setStatus({ state: 'reconnecting', retryAt: Date.now() + delay, attempt: this.#attempt });
  }

  readonly #random = (): number => (this.#options.random ?? Math.random)();

  #setConnected(): void {
    if (this.#status.state === 'connected') return;
    this.#connectedAt = Date.now();
    this.#setStatus({ state: 'connected' });
  }

  #setStatus(status: LiveStatus): void {
    this.#status = status;
    this.#emit('status', status);
  }

  #emit<Name extends keyof ClientListeners>(name: Name, value: Parameters<ClientListeners[Name]>[0]): void {
    for (const listener of this.#listeners[name]) (listener as (value: unknown) => void)(value);
  }
}
