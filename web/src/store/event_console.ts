// event_console.ts: a stream of the events console: its own, beside the page's, with every byte it brings kept as it came.
//
// Flow     the client reconnects and resumes as any other; what it reads passes through a FrameReader on its way.
// Errors   what the server refuses for good (a topic, a type, a right) is told once and not tried again.

import { batch, signal } from '@preact/signals';
import { MillstreamClient, parseEventId, type LiveStatus } from '../../sdk/index.ts';
import { ApiError, type Api } from '../api.ts';
import { FrameLog, FrameReader } from './frames.ts';
import { wrongsOf, type Wrongs } from './wrong_fields.ts';

export type Begin = 'now' | 'snapshot' | 'id' | 'since';

export interface Ask {
  topics: string;  // as it was typed: patterns with commas
  types: string;
  begin: Begin;
  from: string;    // the id or the time, where it begins with one
}

export const kFields = ['topics', 'types', 'since', 'lastEventId'] as const;
const kDrawMs = 250;

export class EventConsole {
  readonly log = new FrameLog();
  readonly status = signal<LiveStatus>({ state: 'closed' });
  readonly wrongs = signal<Wrongs>({});
  readonly drawn = signal(0);
  private client: MillstreamClient | undefined;
  private readonly reader = new FrameReader((frame) => {
    this.log.add(frame);
    this.dirty = true;
  });
  private dirty = false;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly api: Api, private readonly refused: (status: 401) => void,
    private readonly words: { unreachable: string; notAnId: string },
  ) {}

  start(ask: Ask): void {
    this.stop();
    if (ask.begin === 'id' && !parseEventId(ask.from)) {
      this.wrongs.value = { lastEventId: this.words.notAnId };
      return;
    }
    this.wrongs.value = {};
    const list = (text: string) => text.split(',').map((each) => each.trim()).filter(Boolean);
    const client = new MillstreamClient({
      // By fetch, which shows what comes; the credential is the Api's own.
      token: 'of-the-page',
      fetch: (url, init) => this.open(client, String(url), init),
      topics: list(ask.topics), types: list(ask.types),
      ...(ask.begin === 'snapshot' ? { snapshot: 'latest' as const } : {}),
      ...(ask.begin === 'id' ? { lastEventId: ask.from } : {}),
      ...(ask.begin === 'since' ? { since: ask.from } : {}),
    });
    this.client = client;
    client.onStatus((status) => { if (client === this.client) this.status.value = status; });
    this.timer = setInterval(() => this.draw(), kDrawMs);
    client.connect();
  }

  stop(): void {
    const { client } = this;
    this.client = undefined;
    client?.close();
    clearInterval(this.timer);
    this.status.value = { state: 'closed' };
    this.changed();
  }

  retryNow(): void { this.client?.retryNow(); }

  pause(): void { this.log.pause(); this.changed(); }
  resume(): void { this.log.resume(); this.changed(); }
  clear(): void { this.log.clear(); this.changed(); }

  private changed(): void {
    this.dirty = true;
    this.draw();
  }

  private draw(): void {
    if (!this.dirty) return;
    this.dirty = false;
    ++this.drawn.value;
  }

  private async open(client: MillstreamClient, url: string, init: RequestInit | undefined): Promise<Response> {
    this.reader.cut();
    try {
      const response = await this.api.open(url, { signal: init?.signal ?? null, headers: { Accept: 'text/event-stream' } });
      return response.body ? new Response(this.tapped(client, response.body), response) : response;
    } catch (error) {
      if (client === this.client && error instanceof ApiError && isForGood(error.status)) this.giveUp(error);
      if (!(error instanceof ApiError)) throw error;
      const headers: Record<string, string> = error.retryAfterS === undefined ? {} : { 'Retry-After': String(error.retryAfterS) };
      return new Response(null, { status: error.status, headers });
    }
  }

  private tapped(client: MillstreamClient, body: ReadableStream<Uint8Array<ArrayBuffer>>): ReadableStream<Uint8Array<ArrayBuffer>> {
    const decoder = new TextDecoder();
    return body.pipeThrough(new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform: (chunk, controller) => {
        if (client === this.client) this.reader.feed(decoder.decode(chunk, { stream: true }), Date.now());
        controller.enqueue(chunk);
      },
    }));
  }

  private giveUp(error: ApiError): void {
    batch(() => {
      this.stop();
      this.wrongs.value = wrongsOf(error, kFields, this.words.unreachable);
    });
    if (error.status === 401) this.refused(401);
  }
}

function isForGood(status: number): boolean { return status >= 400 && status < 500 && status !== 408 && status !== 429; }
