import { describe, expect, it } from 'vitest';
import { parseMessage } from './events.ts';
import { goldenFrames } from './testing/golden.ts';
import { SseReader, type SseMessage } from './sse_reader.ts';

function read(...pieces: string[]): SseMessage[] & { retryMs?: number | undefined } {
  const messages: SseMessage[] & { retryMs?: number | undefined } = [];
  const reader = new SseReader((message) => messages.push(message));
  for (const piece of pieces) reader.feed(piece);
  messages.retryMs = reader.retryMs;
  return messages;
}

describe('SseReader', () => {
  it('reads name, data and id, and keeps the id for what follows', () => {
    expect(read('id: 1-0\nevent: alert\ndata: a\n\ndata: b\n\n')).toMatchObject([
      { event: 'alert', data: 'a', lastEventId: '1-0' },
      { event: 'message', data: 'b', lastEventId: '1-0' },
    ]);
  });
  it('takes LF, CRLF and CR for the end of a line, also cut in two', () => {
    const expected = [{ event: 'message', data: 'a\nb', lastEventId: '' }];
    expect(read('data: a\ndata: b\n\n')).toMatchObject(expected);
    expect(read('data: a\r\ndata: b\r\n\r\n')).toMatchObject(expected);
    expect(read('data: a\r', '\ndata: b\r', '\n\r', '\n')).toMatchObject(expected);
    expect(read('data: a\rdata: b\r\rdata: c')).toMatchObject(expected);
  });
  it('passes over a BOM, comments, unknown fields and blocks without data', () => {
    expect(read('\ufeffdata: a\n\n:hb\n\nevent: x\n\nfoo: 1\nid\n\ndata: b\n\n').map((m) => [m.event, m.data]))
      .toEqual([['message', 'a'], ['message', 'b']]);
  });
  it('takes one space away after the colon, not more, and needs no space', () => {
    expect(read('data:  a\n\ndata:b\n\ndata\n\n').map((m) => m.data)).toEqual([' a', 'b', '']);
  });
  it('ignores an id with NUL and a retry that is not all digits', () => {
    const messages = read('id: 1\n', 'id: 2\0\nretry: 1e3\ndata: a\n\n');
    expect(messages[0]!.lastEventId).toBe('1');
    expect(messages.retryMs).toBeUndefined();
    expect(read('retry: 3127\ndata: a\n\n').retryMs).toBe(3127);
  });
  it('gives nothing for a block that was not finished', () => {
    expect(read('data: a\n')).toEqual([]);
  });
});

describe('the contract\'s sample frames', () => {
  const frames = goldenFrames();
  it('are there', () => { expect(frames.length).toBeGreaterThan(5); });

  it.each(frames)('$name reads the same however it is cut', ({ text }) => {
    const whole = [...read(text)];
    for (let at = 0; at <= text.length; ++at) expect([...read(text.slice(0, at), text.slice(at))]).toEqual(whole);
    expect([...read(...text)]).toEqual(whole);
  });
  it.each(frames)('$name holds only messages of the contract', ({ name, text }) => {
    const messages = read(text);
    expect(messages.length > 0).toBe(name !== 'comment.sse');
    for (const message of messages) {
      const parsed = parseMessage(message.data);
      if (!parsed) throw new Error(`not of the contract: ${message.data}`);
      if ('event' in parsed) {
        expect(message.lastEventId).toBe(parsed.event.id);
        expect(message.event).toBe(name.includes('unnamed') ? 'message' : parsed.event.type);
      } else {
        expect(message.event).toBe('system');
        if (parsed.block.data.kind === 'hello') expect(message.lastEventId).toBe(parsed.block.data.cursor);
      }
    }
  });
});
