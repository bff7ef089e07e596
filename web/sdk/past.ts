// past.ts: the past as part of the stream: history first, and what a gap says is missing.
//
// Flow     joined() or gap() -> pages of /api/events/backfill, told as they come -> what put() held since -> live.
// Shapes   a queue of ranges of the log still to be read and of events held behind them; empty: events pass at once.
// Limits   kHeldEventsMax events are held. More are not: the range before them grows and they are read from the log.
// Errors   no answer and 5xx: asked again with backoff; 401 and 403: the client is told, start() goes on; what cannot be
//          read is reported as a gap.

import { fullJitterMs } from './backoff.ts';
import { compareEventIds, eventIdText, parseEventId, type EventId } from './event_id.ts';
import { checkMessage, type Gap, type Severity, type StreamEvent } from './events.ts';
import { queryText, selectors, type ClientOptions } from './query.ts';
import type { OpenPast, Past, PastOwner } from './seams.ts';

export interface PastOptions {
  /** history begins after this event id, or with what was received at this time or later */
  since?: string;
  /** instead: with what was received in the last so many milliseconds, by the server's clock */
  lastMs?: number;
  /** of the history; default: those of the stream */
  types?: string[];
  /** of the history; default 100 000. What is beyond is a gap of reason "too_many" */
  eventsMax?: number;
  /** of one gap; default 20 000 */
  gapEventsMax?: number;
}

// For the client's option `past`. Without `since` and `lastMs` there is no history, but gaps are read.
export function past(options: PastOptions = {}): OpenPast {
  return (owner) => new Reader(options, owner);
}

export const kHeldEventsMax = 10_000;
const kPageEvents = 1_000;
const kHistoryEventsMax = 100_000;
const kGapEventsMax = 20_000;
const kRetryBaseMs = 500;
const kRetryCapMs = 15_000;
const kSeverities: readonly string[] = ['info', 'warning', 'critical'] satisfies Severity[];

interface Range {
  at: string;  // exclusive: told up to here; at first it may be a time
  to: EventId;
  types: string[] | undefined;
  left: number;       // how many events may still be read
  declared: boolean;  // that events are lost in it has been said
}

interface Page {
  events: unknown[];
  next: string | null;
  missing?: Gap[];
}

const isRange = (item: StreamEvent | Range): item is Range => 'to' in item;

class Reader implements Past {
  readonly #options: PastOptions;
  readonly #owner: PastOwner;
  readonly #queue: (StreamEvent | Range)[] = [];
  #historyDue: boolean;
  #at: string | undefined;
  #told = '';       // end of the lost part that was reported last: the next page may name it too
  #turn = 0;        // an answer to an earlier turn is not taken
  #running = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: PastOptions, owner: PastOwner) {
    this.#options = options;
    this.#owner = owner;
    // Who resumes has had it.
    this.#historyDue = (options.since ?? options.lastMs) !== undefined && !parseEventId(owner.options.lastEventId);
  }

  get busy(): boolean { return this.#queue.length > 0; }
  // While busy: what has been told. Undefined: nothing yet.
  get at(): string | undefined { return this.#at; }

  put(event: StreamEvent): void {
    if (!this.busy) return this.#owner.event(event);
    if (this.#queue.push(event) > kHeldEventsMax) this.#fold(parseEventId(event.id)!);
  }

  joined(ts: string, to: EventId): void {
    if (!this.#historyDue) return;
    this.#historyDue = false;
    const { since, lastMs = 0, types = this.#owner.options.types, eventsMax: left = kHistoryEventsMax } = this.#options;
    const at = since ?? new Date(Date.parse(ts) - lastMs).toISOString();
    this.#read({ at, to, types, left, declared: false });
  }

  gap(gap: Gap): void {
    const to = parseEventId(gap.to);
    const left = this.#options.gapEventsMax ?? kGapEventsMax;
    // Who was too slow is not helped by reading everything once more.
    const readable = to && gap.from && parseEventId(gap.from) && gap.reason !== 'slow' && left > 0;
    const declared = !readable || gap.reason === 'trimmed';
    if (declared) this.#owner.gap(gap);
    if (readable) this.#read({ at: gap.from!, to, types: this.#owner.options.types, left, declared });
  }

  start(): void {
    if (this.#running || !this.busy) return;
    this.#running = true;
    const turn = ++this.#turn;
    // An error is a listener's: it is theirs to see, and the others still get the rest.
    this.#run(turn).catch((error) => {
      if (turn === this.#turn) this.stop();
      this.start();
      throw error;
    });
  }

  stop(): void {
    ++this.#turn;
    this.#running = false;
    clearTimeout(this.#timer);
  }

  #read(range: Range): void {
    if (!this.busy) this.#at = parseEventId(range.at) && range.at;
    this.#queue.push(range);
    this.start();
  }

  // What lies behind the last range becomes part of it.
  #fold(to: EventId): void {
    let last = this.#queue.length - 1;
    while (last > 0 && !isRange(this.#queue[last]!)) --last;
    const range = this.#queue[last]!;
    if (!isRange(range)) return;
    range.to = to;
    range.left += this.#queue.length - 1 - last;
    this.#queue.length = last + 1;
  }

  async #run(turn: number): Promise<void> {
    for (let attempt = 0; turn === this.#turn;) {
      const head = this.#queue[0];
      if (!head) {
        this.#running = false;
        return;
      }
      const from = isRange(head) && parseEventId(head.at);
      if (!isRange(head) || (from && compareEventIds(from, head.to) >= 0)) {
        this.#queue.shift();
        if (!isRange(head)) this.#tell(head);
        continue;
      }
      const until = eventIdText(head.to);
      const answer = await this.#page(head, until);
      if (turn !== this.#turn) return;
      if (typeof answer === 'object') {
        attempt = 0;
        this.#take(head, answer, until, turn);
      } else if (answer === 401 || answer === 403) {
        this.stop();
        this.#owner.refused(answer);
      } else if (answer >= 400 && answer < 500 && answer !== 429) {
        this.#giveUp(head, 'unreadable');
      } else {
        const pauseMs = fullJitterMs(attempt++, kRetryBaseMs, kRetryCapMs, this.#owner.random);
        await new Promise((resolve) => { this.#timer = setTimeout(resolve, pauseMs); });
      }
    }
  }

  // A page, or the status; 0: no answer.
  async #page(range: Range, until: string): Promise<Page | number> {
    const query = { ...selectors(this.#owner.options), types: range.types, since: range.at, until, limit: kPageEvents };
    try {
      return await this.#owner.send(`/api/events/backfill${queryText(query)}`, (response) =>
        response.ok ? response.json() as Promise<Page> : response.status);
    } catch {
      return 0;
    }
  }

  #take(range: Range, page: Page, until: string, turn: number): void {
    for (const { from, to, reason } of page.missing ?? []) {
      if (!range.declared && to !== this.#told) this.#owner.gap({ from, to, reason });
      this.#told = to ?? '';
    }
    for (const json of page.events) {
      if (turn !== this.#turn) return;  // a listener stopped us: the rest is read again
      const message = checkMessage(json);
      if (!message || !('event' in message)) {
        this.#owner.malformed();
        continue;
      }
      if (range.left-- <= 0) return this.#giveUp(range, 'too_many');
      range.at = message.event.id;
      this.#tell(message.event, true);
    }
    if (turn === this.#turn) this.#at = range.at = page.next ?? until;
  }

  #giveUp(range: Range, reason: string): void {
    this.#queue.shift();
    this.#owner.gap({ from: parseEventId(range.at) ? range.at : null, to: eventIdText(range.to), reason });
  }

  #tell(event: StreamEvent, past = false): void {
    this.#at = event.id;
    const told = past ? narrowed(event, this.#owner.options) : event;
    if (told) this.#owner.event(told);
  }
}

// As the stream would have sent it: the log has all fields and every alert.
function narrowed(event: StreamEvent, { fields, minSeverity }: ClientOptions): StreamEvent | undefined {
  if (event.type === 'alert' && minSeverity) {
    const rank = (severity: string) => kSeverities.indexOf(severity);
    if (rank(event.data.severity) < rank(minSeverity)) return undefined;
  }
  if (event.type !== 'telemetry' || !fields?.length) return event;
  const kept = Object.entries(event.data.fields).filter(([name]) => fields.includes(name));
  return kept.length ? { ...event, data: { ...event.data, fields: Object.fromEntries(kept) } } : undefined;
}
