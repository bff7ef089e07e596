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

  #rest = '';
  #event = '';
  #data: string[] = [];
  #atStart = true;

  readonly #onMessage: (message: SseMessage) => void;

  constructor(onMessage: (message: SseMessage) => void) { this.#onMessage = onMessage; }

  feed(text: string): void {
    if (this.#atStart && text !== '') {
      this.#atStart = false;
      if (text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    }
    this.#rest += text;
    // A CR that ends the text may be half of a CRLF: it waits for what follows.
    const end = /\r\n|\n|\r(?!$)/g;
    let from = 0;
    for (let match = end.exec(this.#rest); match; match = end.exec(this.#rest)) {
      this.#takeLine(this.#rest.slice(from, match.index));
      from = end.lastIndex;
    }
    this.#rest = this.#rest.slice(from);
  }

  #takeLine(line: string): void {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return;  // a comment
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#event = value;
    else if (name === 'id' && !value.includes('\0')) this.lastEventId = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
  }

  #dispatch(): void {
    const event = this.#event;
    const data = this.#data;
    this.#event = '';
    this.#data = [];
    if (data.length === 0) return;
    this.#onMessage({ event: event || 'message', data: data.join('\n'), lastEventId: this.lastEventId });
  }
}
