import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Api } from '../api.ts';
import { EventConsole, type Ask } from './event_console.ts';

const words = { unreachable: 'no answer', notAnId: 'no id' };
const ask: Ask = { topics: '', types: '', begin: 'now', from: '' };
const hello = 'retry: 2000\nid: 5-0\nevent: system\ndata: {"ts":"2026-01-27T12:34:56.790Z","type":"system","data":{"kind":"hello","cursor":"5-0"}}\n\n';

let urls: string[];
let answers: (() => Response)[];
let pipes: ReadableStreamDefaultController<Uint8Array>[];
const refusals: number[] = [];

function stream(text: string): () => Response {
  return () => new Response(new ReadableStream<Uint8Array>({
    start(controller) {
      pipes.push(controller);
      controller.enqueue(new TextEncoder().encode(text));
    },
  }), { headers: { 'content-type': 'text/event-stream; charset=utf-8' } });
}
const problem = (status: number, detail: string) => () => new Response(JSON.stringify({ detail }), { status });
const make = () => new EventConsole(new Api('https://host/prefix', () => 'a-token'), (status) => refusals.push(status), words);
const settle = () => vi.advanceTimersByTimeAsync(300);

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(0.9);  // a wait is nearly as long as it may be
  [urls, answers, pipes] = [[], [], []];
  refusals.length = 0;
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    urls.push(`${url} ${(init.headers as Record<string, string>).Authorization}`);
    return Promise.resolve((answers.shift() ?? problem(500, 'no more'))());
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe('the stream of the console', () => {
  it('asks for what was typed, with the credential of the page, and keeps what comes as it came', async () => {
    answers.push(stream(hello));
    const events = make();
    events.start({ ...ask, topics: ' account:a , account:a/site:b ', types: 'alert', begin: 'since', from: '2026-01-27T12:00:00Z' });
    await settle();
    expect(decodeURIComponent(urls.join())).toBe('https://host/prefix/api/stream?topics=account:a,account:a/site:b&types=alert&since=2026-01-27T12:00:00Z Bearer a-token');
    expect(events.status.value.state).toBe('connected');
    expect(events.log.list.map(({ lines }) => `${lines.join('\n')}\n\n`)).toEqual([hello]);
    events.stop();
  });
  it('resumes by itself after a cut, and shows no half of a block', async () => {
    answers.push(stream(`${hello}id: 6-0\ndata: {"ha`), stream(hello.replaceAll('5-0', '7-0')));
    const events = make();
    events.start(ask);
    await settle();
    pipes[0]!.close();
    await settle();
    expect(events.status.value.state).toBe('reconnecting');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(urls[1]).toContain('lastEventId=5-0');
    expect(events.log.list.map(({ id }) => id)).toEqual(['5-0', '7-0']);
    events.stop();
    expect(events.status.value.state).toBe('closed');
    await vi.advanceTimersByTimeAsync(120_000);
    expect(urls.length).toBe(2);
  });
  it.each([
    [400, 'topics: "foo": segment 1', { topics: '"foo": segment 1' }],
    [403, 'topic "account:b" is not allowed', { topics: 'topic "account:b" is not allowed' }],
    [403, 'needs the role viewer', { '': 'needs the role viewer' }],
    [400, 'since: neither', { since: 'neither' }],
  ])('does not try again what is refused for good: %i %s', async (status, detail, wrongs) => {
    answers.push(problem(status, detail));
    const events = make();
    events.start(ask);
    await vi.advanceTimersByTimeAsync(120_000);
    expect([urls.length, events.status.value.state, events.wrongs.value, refusals.length]).toEqual([1, 'closed', wrongs, 0]);
  });
  it('says when the credential has ended, and goes on after what is only for now', async () => {
    answers.push(problem(503, 'starting'), stream(hello));
    const events = make();
    events.start(ask);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([urls.length, events.status.value.state]).toEqual([2, 'connected']);
    answers.push(problem(401, 'expired'));
    events.start(ask);
    await settle();
    expect(refusals).toEqual([401]);
  });
  it('sends no id that is none', () => {
    const events = make();
    events.start({ ...ask, begin: 'id', from: 'abc' });
    expect([urls.length, events.wrongs.value]).toEqual([0, { lastEventId: 'no id' }]);
  });
});
