import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

import { parseMessage } from './events.ts';
import { SseReader, type SseMessage } from './sse_reader.ts';

const frames = new URL('../../contract/frames/', import.meta.url);
const events = new URL('../../contract/events/', import.meta.url);

function read(...pieces: string[]): SseMessage[] {
  const messages: SseMessage[] = [];
  const reader = new SseReader((message) => messages.push(message));
  for (const piece of pieces) reader.feed(piece);
  return messages;
}

describe('SseReader', () => {
  const names = readdirSync(frames).filter((name) => name.endsWith('.sse'));
  test('there are golden frames to read', () => expect(names.length).toBeGreaterThan(5));

  test.each(names)('%s is understood, however it is cut', (name) => {
    const text = readFileSync(new URL(name, frames), 'utf8');
    const whole = read(text);
    if (name !== 'comment.sse') expect(whole.length).toBeGreaterThan(0);
    for (const message of whole) expect(parseMessage(message.data), message.data).toBeDefined();
    for (let at = 1; at < text.length; ++at) expect(read(text.slice(0, at), text.slice(at))).toEqual(whole);
  });

  test('line ends may be LF, CR or CRLF, and a BOM is dropped', () => {
    const expected = [{ event: 'a', data: 'x\ny', lastEventId: '1' }];
    for (const end of ['\n', '\r', '\r\n']) {
      const text = ['id: 1', 'event: a', 'data: x', 'data:y', '', ':done', ''].join(end);
      expect(read(text)).toEqual(expected);
      expect(read(`\ufeff${text}`)).toEqual(expected);
    }
  });

  test('an unfinished block is not dispatched, and an id stays until the next', () => {
    expect(read('id: 7\ndata: a\n\ndata: b\n\ndata: c')).toEqual([
      { event: 'message', data: 'a', lastEventId: '7' },
      { event: 'message', data: 'b', lastEventId: '7' },
    ]);
  });
});

describe('events', () => {
  const names = readdirSync(events).filter((name) => name.endsWith('.json'));
  test('there are golden events to read', () => expect(names.length).toBeGreaterThan(3));
  test.each(names)('%s is what the contract says', (name) => {
    const message = parseMessage(readFileSync(new URL(name, events), 'utf8'));
    expect(message && 'event' in message).toBe(true);
  });
  test('what is not is refused', () => {
    for (const bad of ['', 'null', '[]', '{}', '{"type":"telemetry"}', '{"id":"1-0","ts":"t","topic":"x","type":"alert","data":{}}']) {
      expect(parseMessage(bad)).toBeUndefined();
    }
  });
});
