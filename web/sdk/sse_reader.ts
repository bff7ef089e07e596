// sse_reader.ts: the event stream format, any way the text is cut. For streams read with fetch.
// Source: WHATWG HTML 9.2.6

export interface SseMessage {
  event: string;  // "message" when the stream named none
  data: string;
  lastEventId: string;
}

export class SseReader {
  lastEventId = '';
  retryMs: number | undefined;

  readonly #onMessage: (message: SseMessage) => void;
  #rest: string | undefined;  // undefined: nothing came yet
  #event = '';
  #data: string[] = [];

  constructor(onMessage: (message: SseMessage) => void) { this.#onMessage = onMessage; }

  feed(text: string): void {
    if (!text) return;
    // A CR that ends the text may be half of a CRLF: it waits for what follows.
    const lines = (this.#rest === undefined ? text.replace(/^\ufeff/, '') : this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop()!;
    for (const line of lines) this.#takeLine(line);
  }

  #takeLine(line: string): void {
    if (!line) return this.#dispatch();
    const [, name, value = ''] = /^([^:]*):? ?(.*)$/s.exec(line)!;  // a comment has no name
    if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#event = value;
    else if (name === 'id' && !value.includes('\0')) this.lastEventId = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
  }

  #dispatch(): void {
    const [event, data] = [this.#event || 'message', this.#data];
    this.#event = '';
    this.#data = [];
    if (data.length) this.#onMessage({ event, data: data.join('\n'), lastEventId: this.lastEventId });
  }
}
