// share.ts: one stream for all tabs of a browser that ask for the same.
//
// Flow     whoever holds the Web Lock leads: it has the stream, and tells the others every message on a BroadcastChannel.
//          A follower joins with its own position and is told what followed it, from the leader's ring or as a gap to be
//          read; a snapshot it gets by a short stream of its own. When the leader leaves, the next one has the lock and
//          goes on at its own position, and the others join again.
// Limits   kRingEvents messages are kept for those who join.
// Errors   a leader that does not answer within kAnswerMs (a frozen tab) has its lock taken away.
//          Without a secure context there are no locks: each tab has a stream of its own while it is visible.

import { compareEventIds, eventIdText, parseEventId, type EventId } from './event_id.ts';
import { parseMessage, type SystemBlock } from './events.ts';
import type { Share, Shareable, Sharing } from './seams.ts';
import type { StreamEnd, TransportSink } from './transport.ts';

export const kRingEvents = 1_000;
export const kAnswerMs = 5_000;
const kRefusedMs = 500;
export const kHiddenMs = 60_000;

// For the client's option `share`.
export const share: Share = (client) =>
  globalThis.navigator?.locks && globalThis.BroadcastChannel ? new Shared(client) : new WhileVisible(client);

type Message = readonly [text: string, lastEventId: string];

// What is said on the channel.
type Told =
  | { join: string; after: string | undefined }                  // by a follower
  | { to: string; blocks?: SystemBlock[]; messages?: Message[] }  // its answer; without blocks: wait
  | { up: true }                                                 // by the leader: join now
  | { message: Message }
  | { end: StreamEnd }
  | { refused: number };

class Shared implements Sharing {
  readonly #client: Shareable;
  readonly #channel: BroadcastChannel;
  readonly #name: string;
  readonly #me = crypto.randomUUID();
  #sink: TransportSink | undefined;    // of the client's connection
  #stream: AbortController | undefined;  // a stream of our own: the leader's, or for a snapshot
  #joined = false;                     // as a follower
  #timer: ReturnType<typeof setTimeout> | undefined;
  #request = new AbortController();    // for the lock
  #release: (() => void) | undefined;  // we lead

  // of the leader's stream
  #said: SystemBlock[] = [];           // how things stand by it, its hello first; empty: it is not up
  #followed = false;                   // someone has joined: each message told costs the leader something
  #upAt = 0;                           // when it said hello, by this browser's clock
  #at: EventId | undefined;            // it would resume here
  #floor: EventId | undefined;         // the ring holds all that came after
  #ring: { id: EventId; message: Message }[] = [];

  constructor(client: Shareable) {
    this.#client = client;
    this.#name = `millstream ${hash(client.key)}`;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = (event: MessageEvent<Told>) => this.#hear(event.data);
    globalThis.addEventListener?.('pageshow', this.#back);
    this.#stand();
  }

  open(sink: TransportSink, signal: AbortSignal): void {
    this.#sink = sink;
    signal.addEventListener('abort', () => { if (this.#sink === sink) this.#drop(); });
    if (this.#release) this.#lead();
    else this.#join();
  }

  close(status?: number): void {
    // Another leads at once, so that a leader that just leaves is no end for the others.
    if (this.#release && status !== undefined) this.#tell({ refused: status });
    this.#said = [];
    this.#drop();
    this.#request.abort();
    // First they hear that it was refused: or the next would ask in vain, and the one after it.
    if (status === undefined) this.#release?.();
    else if (this.#release) setTimeout(this.#release, kRefusedMs);
    this.#channel.close();
    globalThis.removeEventListener?.('pageshow', this.#back);
  }

  // From the cache of pages that one goes back to: nothing was heard meanwhile.
  readonly #back = ({ persisted }: PageTransitionEvent): void => { if (persisted) this.#sink?.end({ kind: 'dropped' }); };

  #tell(told: Told): void { this.#channel.postMessage(told); }

  #drop(): void {
    if (this.#said[0]) this.#tell({ end: { kind: 'dropped' } });
    this.#said = [];
    this.#sink = undefined;
    this.#joined = false;
    clearTimeout(this.#timer);
    this.#end();
  }

  #end(): void {
    this.#stream?.abort();
    this.#stream = undefined;
  }

  #own(message: TransportSink['message'], end: TransportSink['end']): void {
    this.#end();
    const { signal } = this.#stream = new AbortController();
    this.#client.open({
      message: (text, lastEventId) => { if (!signal.aborted) message(text, lastEventId); },
      end: (why) => { if (!signal.aborted) end(why); },
    }, signal);
  }

  // For election; `steal`: from a leader that does not answer.
  #stand(steal = false): void {
    this.#request.abort();
    const request = this.#request = new AbortController();
    const { signal } = request;
    const led = () => new Promise<void>((release) => {
      if (signal.aborted) return release();
      this.#release = release;
      if (this.#sink) this.#lead();
      else this.#client.reopen();
    });
    navigator.locks.request(this.#name, steal ? { steal } : { signal }, led).catch(() => {
      if (signal.aborted) return;
      this.#release = undefined;  // it was taken from us
      this.#said = [];
      this.#end();
      this.#stand();
      if (this.#sink) this.#join();
    });
  }

  // --- the leader

  #lead(): void {
    clearTimeout(this.#timer);
    const sink = this.#sink!;
    this.#own((text, lastEventId) => {
      this.#pass(text, lastEventId);
      sink.message(text, lastEventId);
    }, (why) => {
      this.#said = [];
      this.#tell({ end: { kind: 'dropped', retryMs: why.retryMs } });
      sink.end(why);
    });
  }

  #pass(text: string, lastEventId: string): void {
    const parsed = parseMessage(text);
    if (!parsed) return;
    const message: Message = [text, lastEventId];
    if ('block' in parsed) {
      const { block } = parsed;
      const { kind, to } = block.data;
      if (kind === 'hello') return this.#start(block);
      if (kind === 'snapshot') return;
      if (kind === 'gap') this.#reset(parseEventId(to));
      else if (kind !== 'heartbeat') this.#said = [...this.#said.filter(({ data }) => data.kind !== kind), block];
    } else {
      const id = parseEventId(parsed.event.id);
      if (parsed.event.snapshot || !id) return;
      this.#at = parseEventId(lastEventId) ?? id;
      if (this.#ring.push({ id, message }) > kRingEvents) this.#floor = this.#ring.shift()!.id;
    }
    if (this.#followed) this.#tell({ message });
  }

  #start(hello: SystemBlock): void {
    const position = parseEventId(this.#client.position());
    if (!position || this.#client.snapshotDue()) this.#reset(parseEventId(hello.data.cursor));
    else if (!this.#at || compareEventIds(this.#at, position) !== 0) this.#reset(position);
    this.#said = [hello];
    this.#upAt = Date.now();
    this.#tell({ up: true });
  }

  #reset(at: EventId | undefined): void {
    this.#at = this.#floor = at ?? this.#at;
    this.#ring = [];
  }

  #answer(to: string, after: string | undefined): void {
    const [hello, ...others] = this.#said;
    if (!hello || !this.#at || !this.#floor) {
      this.#tell({ to });
      // A browser may hold back our timer for a minute when we are hidden; who asks has waited as long as we should.
      if (!this.#sink) this.#client.reopen();
      return;
    }
    const cursor = eventIdText(this.#at);
    const from = parseEventId(after);
    const ts = new Date((Date.parse(hello.ts) || this.#upAt) + Date.now() - this.#upAt).toISOString();  // by the server's clock
    const blocks: SystemBlock[] = [{ ...hello, ts, data: { ...hello.data, cursor, resumed: from !== undefined } }, ...others];
    const behind = from && compareEventIds(from, this.#floor) < 0;
    if (behind) blocks.push({ ...hello, ts, data: { kind: 'gap', from: after, to: cursor, reason: 'behind' } });
    const missed = this.#ring.filter(({ id }) => from && compareEventIds(id, behind ? this.#at! : from) > 0);
    this.#tell({ to, blocks, messages: missed.map(({ message }) => message) });
  }

  // --- a follower

  #join(): void {
    this.#joined = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#stand(true), kAnswerMs);
    this.#tell({ join: this.#me, after: this.#client.position() });
  }

  #hear(told: Told): void {
    if ('join' in told) {
      if (!this.#release) return;
      this.#followed = true;
      this.#answer(told.join, told.after);
    } else if (this.#release) {
      // Of a leader that was.
    } else if ('up' in told) {
      if (!this.#sink) this.#client.reopen();
      else if (!this.#stream) this.#join();
    } else if ('to' in told) {
      if (told.to === this.#me && this.#sink) this.#enter(told.blocks, told.messages);
    } else if ('refused' in told) {
      this.#client.refused(told.refused);
    } else if ('end' in told) {
      this.#sink?.end(told.end);
    } else if (this.#joined) {
      this.#sink?.message(...told.message);
    }
  }

  #enter(blocks: SystemBlock[] | undefined, messages: readonly Message[] | undefined): void {
    clearTimeout(this.#timer);
    if (!blocks || this.#stream || this.#joined) return;
    if (this.#client.snapshotDue()) return this.#snapshot();
    this.#joined = true;
    const all = blocks.map((block): Message => [JSON.stringify(block), '']);
    for (const message of [...all, ...messages ?? []]) this.#sink?.message(...message);
  }

  #snapshot(): void {
    const sink = this.#sink!;
    this.#own((text, lastEventId) => {
      sink.message(text, lastEventId);
      if (this.#sink !== sink || this.#release || this.#client.snapshotDue()) return;
      this.#end();
      this.#join();
    }, sink.end);
  }
}

class WhileVisible implements Sharing {
  readonly #client: Shareable;
  #sink: TransportSink | undefined;
  #paused = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Shareable) {
    this.#client = client;
    globalThis.document?.addEventListener('visibilitychange', this.#look);
    this.#look();
  }

  open(sink: TransportSink, signal: AbortSignal): void {
    this.#sink = sink;
    if (this.#paused) queueMicrotask(() => sink.end({ kind: 'paused' }));
    else this.#client.open(sink, signal);
  }

  close(): void {
    globalThis.document?.removeEventListener('visibilitychange', this.#look);
    clearTimeout(this.#timer);
  }

  readonly #look = (): void => {
    clearTimeout(this.#timer);
    if (globalThis.document?.visibilityState === 'hidden') {
      this.#timer = setTimeout(() => {
        this.#paused = true;
        this.#sink?.end({ kind: 'paused' });
      }, kHiddenMs);
    } else if (this.#paused) {
      this.#paused = false;
      this.#client.reopen();
    }
  };
}

// Names of locks and channels can be seen by every page of the origin; a token must not be. FNV-1a, twice.
function hash(text: string): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (let i = 0; i < text.length; ++i) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
    b = Math.imul(b ^ text.charCodeAt(i), 0x85ebca6b);
  }
  return (a >>> 0).toString(36) + (b >>> 0).toString(36);
}
