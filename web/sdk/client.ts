// client.ts: a stream that stays: connects, resumes after the newest event seen, and says how it stands.
//
// Flow     connect() -> hello -> snapshot (first connect only) -> live. Any end -> wait with full jitter -> connect with
//          lastEventId. Silence longer than the watchdog counts as an end.
// Limits   nothing is queued: every event goes to its listeners at once.
// Errors   none thrown; 401 and 403 end in the status "signin" and nothing more is sent until setToken() or retryNow().

import { fullJitterMs } from './backoff.ts';
import { compareEventIds, parseEventId, type EventId } from './event_id.ts';
import { parseMessage, type Gap, type StreamEvent, type SystemBlock, type SystemData } from './events.ts';
import {
  openEventSource, openFetch,
  type EventSourceConstructor, type StreamEnd, type Transport, type TransportSink,
} from './transport.ts';

export type LiveStatus =
  | { state: 'connecting' }
  | { state: 'connected' }
  | { state: 'reconnecting'; retryAt: number | null; attempt: number }  // null: trying at this moment
  | { state: 'signin' }
  | { state: 'closed' };

export interface ClientOptions {
  baseUrl?: string;               // "https://host/prefix", without a last slash; default: this origin
  token?: string;                 // sent as Bearer; without it the stream uses EventSource and the browser's cookies
  topics?: string[];
  siteId?: string;
  deviceId?: string;
  types?: string[];
  fields?: string[];
  minSeverity?: string;
  mode?: 'all' | 'latest';
  intervalMs?: number;            // with mode latest
  since?: string;
  snapshot?: 'latest' | 'none';
  lastEventId?: string;           // resume a stream of an earlier page
  withCredentials?: boolean;      // cookies to another origin
  watchdogMs?: number;            // silence longer than this is a lost connection; default 60 s
  backoffBaseMs?: number;         // default 1 s
  backoffCapMs?: number;          // default 30 s
  eventSource?: EventSourceConstructor;
  fetch?: typeof fetch;
  random?: () => number;
}

export interface ClientListeners {
  event: (event: StreamEvent) => void;    // every event once, in id order; snapshot events are marked
  gap: (gap: Gap) => void;                // what is missing must be read by backfill
  status: (status: LiveStatus) => void;
  block: (block: SystemBlock) => void;    // hello, heartbeat, snapshot, draining, …
}

// A connection that ends sooner than this does not reset the backoff: a server that greets and hangs up is not up.
const kStableMs = 5_000;
// How long a server that is leaving or full is left alone when it does not say: the contract's `retry:` range.
const kLeaveMinMs = 2_000;
const kLeaveMaxMs = 10_000;
const kProbeTimeoutMs = 10_000;

export class MillstreamClient {
  duplicates = 0;  // events that came again and were passed over
  malformed = 0;   // messages that are not what the contract says

  private readonly options: ClientOptions;
  private readonly watchdogMs: number;
  private readonly listeners: { [K in keyof ClientListeners]: Set<ClientListeners[K]> } =
    { event: new Set(), gap: new Set(), status: new Set(), block: new Set() };

  private token: string | undefined;
  private status_: LiveStatus = { state: 'closed' };
  private cursor_: EventId | undefined;
  private snapshotDue: boolean;
  private transport: Transport | undefined;
  private connection = 0;  // callbacks of an earlier connection are deaf
  private attempt = 0;
  private connectedAt = 0;
  private heardAt = 0;
  private quietSince = 0;  // what the watchdog counts from: the newest message, or the start of the connection
  private leaveMs: number | undefined;  // asked by the server to come back after this
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private watchdogTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ClientOptions = {}) {
    this.options = options;
    this.watchdogMs = options.watchdogMs ?? 60_000;
    this.token = options.token;
    this.cursor_ = parseEventId(options.lastEventId);
    this.snapshotDue = options.snapshot === 'latest' && !this.cursor_;
  }

  get status(): LiveStatus { return this.status_; }
  // Id of the newest event seen: where the stream would resume.
  get cursor(): string | undefined { return this.cursor_ && `${this.cursor_.ms}-${this.cursor_.seq}`; }
  // When anything last came from the server, epoch ms; 0: never.
  get lastHeardAt(): number { return this.heardAt; }

  on<Name extends keyof ClientListeners>(name: Name, listener: ClientListeners[Name]): () => void {
    this.listeners[name].add(listener);
    return () => { this.listeners[name].delete(listener); };
  }
  onEvent(listener: ClientListeners['event']): () => void { return this.on('event', listener); }
  onGap(listener: ClientListeners['gap']): () => void { return this.on('gap', listener); }
  onStatus(listener: ClientListeners['status']): () => void { return this.on('status', listener); }

  connect(): void {
    if (this.status_.state !== 'closed') return;
    this.attempt = 0;
    this.open({ state: 'connecting' });
  }

  close(): void {
    this.stop();
    this.setStatus({ state: 'closed' });
  }

  // Does not wait for the backoff. Nothing when a connection is there or just being made.
  retryNow(): void {
    const waiting = this.status_.state === 'reconnecting' && this.status_.retryAt !== null;
    if (waiting || this.status_.state === 'signin') this.reopen();
  }

  // Another credential, or (undefined) the browser's cookies. Reconnects at once.
  setToken(token: string | undefined): void {
    this.token = token;
    this.attempt = 0;
    if (this.status_.state !== 'closed') this.reopen();
  }

  private url(): string {
    const { options } = this;
    const query = new URLSearchParams();
    const put = (name: string, value: string | number | undefined) => {
      if (value !== undefined && value !== '') query.set(name, String(value));
    };
    put('topics', options.topics?.join(','));
    put('siteId', options.siteId);
    put('deviceId', options.deviceId);
    put('types', options.types?.join(','));
    put('fields', options.fields?.join(','));
    put('minSeverity', options.minSeverity);
    put('mode', options.mode);
    put('interval', options.intervalMs);
    if (this.snapshotDue) put('snapshot', 'latest');
    else put('lastEventId', this.cursor);
    if (!this.cursor_) put('since', options.since);
    const text = query.toString();
    return `${options.baseUrl ?? ''}/api/stream${text && `?${text}`}`;
  }

  private reopen(): void {
    this.open({ state: 'reconnecting', retryAt: null, attempt: this.attempt });
  }

  private open(status: LiveStatus): void {
    this.stop();
    const connection = this.connection;
    const here = (): boolean => connection === this.connection;
    const sink: TransportSink = {
      message: (data, lastEventId) => { if (here()) this.takeMessage(data, lastEventId); },
      end: (why) => { if (here()) void this.takeEnd(why); },
    };
    const withCredentials = this.options.withCredentials ?? false;
    this.setStatus(status);
    if (!here()) return;  // a listener closed us
    // Where there is no EventSource (Node), fetch does as well.
    const source = this.options.eventSource ?? (globalThis.EventSource as EventSourceConstructor | undefined);
    this.transport = this.token === undefined && source
      ? openEventSource(source, this.url(), withCredentials, sink)
      : openFetch(this.fetch(), this.url(), this.token, withCredentials, sink);
    this.quietSince = Date.now();
    this.watch();
  }

  private stop(): void {
    ++this.connection;
    this.transport?.close();
    this.transport = undefined;
    this.connectedAt = 0;
    this.leaveMs = undefined;
    clearTimeout(this.retryTimer);
    clearTimeout(this.watchdogTimer);
  }

  private fetch(): typeof fetch { return this.options.fetch ?? globalThis.fetch.bind(globalThis); }

  // One timer, moved on only when it rings: re-arming it for every event would cost more than the events.
  private watch(): void {
    const left = this.quietSince + this.watchdogMs - Date.now();
    if (left <= 0) return void this.takeEnd({ kind: 'dropped' });
    this.watchdogTimer = setTimeout(() => this.watch(), left);
  }

  private takeMessage(text: string, lastEventId: string): void {
    const now = Date.now();
    this.heardAt = this.quietSince = now;
    const message = parseMessage(text);
    if (!message) {
      ++this.malformed;
      return;
    }
    if ('block' in message) this.takeBlock(message.block, lastEventId);
    else this.takeEvent(message.event);
  }

  private takeBlock(block: SystemBlock, lastEventId: string): void {
    const { data } = block;
    if (data.kind === 'hello') this.takeHello(data, lastEventId);
    else if (data.kind === 'gap') this.takeGap(data);
    else if (data.kind === 'snapshot') this.snapshotDue = false;
    else if (data.kind === 'heartbeat') this.setConnected();
    else if (data.kind === 'auth_expired') void this.takeEnd({ kind: 'refused' });  // asks once instead of trying in vain
    else if (data.kind === 'draining' || data.kind === 'overloaded') this.leaveMs = this.leaveAfterMs(data);
    this.emit('block', block);
  }

  private takeHello(data: SystemData, lastEventId: string): void {
    // A resumed stream still has to bring everything after our own cursor, so the server's does not replace it.
    if (data.resumed !== true || !this.cursor_) {
      this.cursor_ = parseEventId(data.cursor) ?? parseEventId(lastEventId) ?? this.cursor_;
    }
    this.setConnected();
  }

  private takeGap(data: SystemData): void {
    // Live goes on after `to`, also when our cursor was foreign and therefore greater.
    this.cursor_ = parseEventId(data.to) ?? this.cursor_;
    this.emit('gap', {
      from: typeof data.from === 'string' ? data.from : null,
      to: typeof data.to === 'string' ? data.to : null,
      reason: String(data.reason ?? 'unknown'),
      ...(typeof data.backfill === 'string' ? { backfill: data.backfill } : {}),
    });
  }

  private takeEvent(event: StreamEvent): void {
    this.setConnected();
    if (!event.snapshot) {
      const id = parseEventId(event.id);
      if (!id) {
        ++this.malformed;
        return;
      }
      if (this.cursor_ && compareEventIds(id, this.cursor_) <= 0) {
        ++this.duplicates;
        return;
      }
      this.cursor_ = id;
      this.snapshotDue = false;
    }
    this.emit('event', event);
  }

  private leaveAfterMs(data: SystemData): number {
    if (typeof data.retryMs === 'number' && data.retryMs >= 0) return data.retryMs;
    return kLeaveMinMs + Math.round(this.random() * (kLeaveMaxMs - kLeaveMinMs));
  }

  private async takeEnd(why: StreamEnd): Promise<void> {
    const leaveMs = this.leaveMs === undefined ? undefined : (why.retryMs ?? this.leaveMs);
    const lived = this.connectedAt > 0 ? Date.now() - this.connectedAt : 0;
    if (lived >= kStableMs) this.attempt = 0;
    this.stop();
    if (why.kind === 'refused') {
      const connection = this.connection;
      this.setStatus({ state: 'reconnecting', retryAt: null, attempt: this.attempt });
      const status = why.status ?? (await this.probe());
      if (connection !== this.connection) return;
      if (status === 401 || status === 403) return this.setStatus({ state: 'signin' });
      if (why.status === 204) return this.setStatus({ state: 'closed' });  // "do not come back"
    }
    this.schedule(leaveMs ?? (why.kind === 'refused' ? why.retryMs : undefined));
  }

  // Why the stream was refused: EventSource does not say, a plain request does. 0: no answer.
  private async probe(): Promise<number> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), kProbeTimeoutMs);
    try {
      const response = await this.fetch()(`${this.options.baseUrl ?? ''}/api/devices`, {
        headers: this.token === undefined ? {} : { Authorization: `Bearer ${this.token}` },
        cache: 'no-store',
        credentials: this.options.withCredentials ? 'include' : 'same-origin',
        signal: abort.signal,
      });
      void response.body?.cancel();
      return response.status;
    } catch {
      return 0;
    } finally {
      clearTimeout(timer);
    }
  }

  private schedule(askedMs: number | undefined): void {
    const { backoffBaseMs = 1_000, backoffCapMs = 30_000 } = this.options;
    const jitter = fullJitterMs(this.attempt, backoffBaseMs, backoffCapMs, this.random);
    const delay = Math.max(askedMs ?? 0, jitter);
    ++this.attempt;
    this.retryTimer = setTimeout(() => this.reopen(), delay);
    this.setStatus({ state: 'reconnecting', retryAt: Date.now() + delay, attempt: this.attempt });
  }

  private readonly random = (): number => (this.options.random ?? Math.random)();

  private setConnected(): void {
    if (this.status_.state === 'connected') return;
    this.connectedAt = Date.now();
    this.setStatus({ state: 'connected' });
  }

  private setStatus(status: LiveStatus): void {
    this.status_ = status;
    this.emit('status', status);
  }

  private emit<Name extends keyof ClientListeners>(name: Name, value: Parameters<ClientListeners[Name]>[0]): void {
    for (const listener of this.listeners[name]) (listener as (value: unknown) => void)(value);
  }
}
