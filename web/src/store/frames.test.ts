import { describe, expect, it } from 'vitest';
import { FrameLog, FrameReader, gistOf, kCharsMax, kFramesMax, matches, pretty, raw, shortTopic, wordsOf, type Frame } from './frames.ts';

const wire = [
  ':hb', 'retry: 4210', 'id: 1-3', 'event: system', 'data: {"ts":"2026-01-27T12:34:56.790Z","type":"system","data":{"kind":"hello","cursor":"1-3"}}', '',
  'id: 2-0', 'event: telemetry', 'data: {"id":"2-0","topic":"account:a/site:s/device:d","type":"telemetry","data":{"deviceId":"d","fields":{"T1":21.5,"run":true}}}', '',
  'data: a', 'data: b', '', '',
].join('\n');

function read(text: string, step = text.length): Frame[] {
  const frames: Frame[] = [];
  const reader = new FrameReader((frame) => frames.push(frame));
  for (let i = 0; i < text.length; i += step) reader.feed(text.slice(i, i + step), 7);
  return frames;
}

const frame = (n: number, chars = 10): Frame => ({ n, atMs: 0, lines: [`data: ${'x'.repeat(chars)}`], id: '', event: 'message', data: 'x' });

describe('frames of a stream', () => {
  it.each([1, 2, 7, 5000])('are the blocks as they were written, however the text is cut (%i)', (step) => {
    const frames = read(wire, step);
    expect(frames.map(({ n, id, event }) => [n, id, event])).toEqual([[1, '1-3', 'system'], [2, '2-0', 'telemetry'], [3, '', 'message']]);
    expect(frames.map(raw).join('')).toBe(wire);
    expect(frames[2]!.data).toBe('a\nb');
    expect(read(wire.replaceAll('\n', '\r\n'), step).map(raw)).toEqual(frames.map(raw));
  });
  it('that a connection did not finish never come', () => {
    const frames: Frame[] = [];
    const reader = new FrameReader((each) => frames.push(each));
    reader.feed('id: 1-0\ndata: {"ha', 0);
    reader.cut();
    reader.feed('data: x\n\n', 0);
    expect(frames.map((each) => each.lines)).toEqual([['data: x']]);
  });
  it('have a gist, are laid out, and are found by words', () => {
    const [hello, telemetry, text] = read(wire) as [Frame, Frame, Frame];
    expect(gistOf(hello)).toEqual({ topic: '', words: 'hello · cursor 1-3' });
    expect(gistOf(telemetry)).toEqual({ topic: 'account:a/site:s/device:d', words: 'T1 21.5 · run true' });
    expect(gistOf(text)).toEqual({ topic: '', words: 'a\nb' });
    expect(['account:a/site:s/device:d', 'account:a/site:s', 'account:a', ''].map(shortTopic)).toEqual(['d · s', 's', 'a', '']);
    expect(pretty(hello).split('\n').slice(0, 6)).toEqual([':hb', 'retry: 4210', 'id: 1-3', 'event: system', 'data: {', '  "ts": "2026-01-27T12:34:56.790Z",']);
    expect(pretty(text)).toBe('data: a\ndata: b');
    expect([wordsOf('  DEVICE:d  t1 '), wordsOf(' ')].map((words) => matches(telemetry, words))).toEqual([true, true]);
    expect(matches(telemetry, wordsOf('t1 nowhere'))).toBe(false);
  });
});

describe('the log of frames', () => {
  it('keeps the newest, by count and by size', () => {
    const log = new FrameLog();
    for (let n = 1; n <= kFramesMax + 5; ++n) log.add(frame(n));
    expect([log.list.length, log.list[0]!.n, log.received]).toEqual([kFramesMax, 6, kFramesMax + 5]);
    log.clear();
    for (let n = 1; n <= 5; ++n) log.add(frame(n, kCharsMax / 2 - 10));
    expect(log.list.map(({ n }) => n)).toEqual([4, 5]);
    log.add(frame(6, kCharsMax * 2));
    expect(log.list.map(({ n }) => n)).toEqual([6]);
  });
  it('stands still while paused, counts what it holds back and what it had no room for, and then shows it', () => {
    const log = new FrameLog();
    log.add(frame(1));
    log.pause();
    for (let n = 2; n <= kFramesMax + 4; ++n) log.add(frame(n));
    expect([log.list.length, log.held, log.dropped, log.received]).toEqual([1, kFramesMax, 3, kFramesMax + 4]);
    log.resume();
    expect([log.list.length, log.list.at(-1)!.n, log.held, log.dropped]).toEqual([kFramesMax, kFramesMax + 4, 0, 3]);
    log.pause();
    expect(log.dropped).toBe(0);
  });
});
