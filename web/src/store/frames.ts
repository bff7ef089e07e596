// frames.ts: what a stream sends, as it is written on the wire, and the newest of it.
//
// Limits   the newest kFramesMax frames or kCharsMax characters, whichever is less; the same for what a pause holds back.

export const kFramesMax = 1_000;
export const kCharsMax = 4 << 20;

// One block of the event stream, up to its empty line. A comment that came before it is part of it.
export interface Frame {
  n: number;      // counted from 1
  atMs: number;   // when it came
  lines: string[];
  id: string;     // "" where the block has none
  event: string;
  data: string;
}

export class FrameReader {
  private rest = '';
  private lines: string[] = [];
  private count = 0;

  constructor(private readonly onFrame: (frame: Frame) => void) {}

  feed(text: string, atMs: number): void {
    const parts = (this.rest + text).split('\n');
    this.rest = parts.pop()!;
    for (const part of parts) this.takeLine(part.endsWith('\r') ? part.slice(0, -1) : part, atMs);
  }

  // The connection has ended: what had begun never comes.
  cut(): void {
    this.rest = '';
    this.lines = [];
  }

  private takeLine(line: string, atMs: number): void {
    if (line !== '') {
      this.lines.push(line);
      return;
    }
    const { lines } = this;
    this.lines = [];
    if (lines.length === 0) return;
    const values = (name: string) => lines.filter((each) => each.startsWith(`${name}:`)).map((each) => each.slice(name.length + 1).replace(/^ /, ''));
    const event = values('event').at(-1) ?? 'message';
    this.onFrame({ n: ++this.count, atMs, lines, id: values('id').at(-1) ?? '', event, data: values('data').join('\n') });
  }
}

class Newest {
  readonly list: Frame[] = [];
  private chars = 0;

  // How many had to go for it.
  add(frame: Frame): number {
    this.list.push(frame);
    this.chars += size(frame);
    let gone = 0;
    for (; this.list.length > kFramesMax || (this.chars > kCharsMax && this.list.length > 1); ++gone) this.chars -= size(this.list.shift()!);
    return gone;
  }

  clear(): void {
    this.list.length = 0;
    this.chars = 0;
  }
}

function size(frame: Frame): number { return frame.lines.reduce((sum, line) => sum + line.length + 1, 0); }

export class FrameLog {
  received = 0;
  paused = false;
  dropped = 0;  // held back by this pause, or the last one, and gone since: there was no room
  private readonly shown = new Newest();
  private readonly waiting = new Newest();

  // Oldest first.
  get list(): readonly Frame[] { return this.shown.list; }
  get held(): number { return this.waiting.list.length; }

  add(frame: Frame): void {
    ++this.received;
    if (this.paused) this.dropped += this.waiting.add(frame);
    else this.shown.add(frame);
  }

  pause(): void {
    this.paused = true;
    this.dropped = 0;
  }

  resume(): void {
    this.paused = false;
    for (const frame of this.waiting.list) this.shown.add(frame);
    this.waiting.clear();
  }

  clear(): void {
    this.shown.clear();
    this.waiting.clear();
    this.received = this.dropped = 0;
  }
}

// What a row of a list says of a frame.
export interface Gist {
  topic: string;  // "" where the stream itself speaks
  words: string;
}

export function gistOf(frame: Frame): Gist {
  const message = parse(frame.data);
  const data = isObject(message?.data) ? message.data : undefined;
  if (!message || !data) return { topic: '', words: frame.data };
  const topic = typeof message.topic === 'string' ? message.topic : '';
  const { fields } = data;
  if (isObject(fields)) return { topic, words: pairs(fields) };
  const { kind, status, state, severity, message: said, deviceId: _, ...others } = data;
  const first = [kind, status, state, severity, said].filter((word) => typeof word === 'string' && word !== '');
  return { topic, words: [...first, pairs(kind !== undefined ? others : {})].filter(Boolean).join(' · ') };
}

function pairs(values: Record<string, unknown>): string {
  return Object.entries(values).map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`).join(' · ');
}

// "pump-1 · cellar" of a device's topic: its name first, which is what tells rows apart.
export function shortTopic(topic: string): string {
  const [account, ...inner] = topic.split('/').map((segment) => segment.slice(segment.indexOf(':') + 1));
  return inner.reverse().join(' · ') || account!;
}

// The lines as they came, but the JSON of `data` laid out.
export function pretty(frame: Frame): string {
  const message = parse(frame.data);
  const head = frame.lines.filter((line) => !line.startsWith('data:'));
  return [...head, message ? `data: ${JSON.stringify(message, null, 2)}` : frame.lines.filter((line) => line.startsWith('data:')).join('\n')].join('\n');
}

export function raw(frame: Frame): string { return `${frame.lines.join('\n')}\n\n`; }

// `words`: each of them must be in it, anywhere, in any case.
export function matches(frame: Frame, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const text = frame.lines.join('\n').toLowerCase();
  return words.every((word) => text.includes(word));
}

export function wordsOf(filter: string): string[] { return filter.toLowerCase().split(/\s+/).filter(Boolean); }

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
