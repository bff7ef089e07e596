import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../api.ts';
import { BackTest, openSpans, outcomes, type TestResult, type Transition } from './back_test.ts';
import { alertEvent } from './alerts.test.ts';

const base = Date.parse('2026-01-27T00:00:00Z');
const event = (topic: string, at: number, alertId: string, state: 'firing' | 'updated' | 'resolved', severity: 'warning' | 'critical' = 'warning'): Transition => ({
  ts: new Date(base + at).toISOString(), topic,
  data: { ...alertEvent('1-0', alertId, state, severity).data, startedAt: new Date(base).toISOString(), ...(state === 'resolved' ? { endedAt: new Date(base + at).toISOString() } : {}) },
});
const result = (transitions: Transition[]): TestResult => ({
  since: new Date(base).toISOString(), until: new Date(base + 100_000).toISOString(), devices: 3, values: 9, alerts: 2, transitions, preview: [],
});
const block = (name: string, data: unknown) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const streamOf = (...parts: string[]) => new Response(new ReadableStream({
  start(controller) {
    for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
    controller.close();
  },
}));

describe('what a rule would have done', () => {
  const told = result([
    event('a', 0, 'a1', 'firing'), event('a', 10_000, 'a1', 'updated', 'critical'), event('b', 20_000, 'b1', 'firing'),
    event('a', 30_000, 'a1', 'resolved', 'critical'),
  ]);
  it('is spans, of the highest severity, open to the end where nothing ended them', () => {
    expect(openSpans(told, 'a')).toEqual([{ fromMs: base, toMs: base + 30_000, severity: 'critical' }]);
    expect(openSpans(told, 'b')).toEqual([{ fromMs: base, toMs: base + 100_000, severity: 'warning' }]);
  });
  it('is told by device, the worst first', () => {
    expect(outcomes(told).map(({ topic, alerts, openMs, open }) => [topic, alerts, openMs, open]))
      .toEqual([['a', 1, 30_000, false], ['b', 1, 100_000, true]]);
  });
});

describe('BackTest', () => {
  beforeEach(() => { vi.useFakeTimers(); });
  afterEach(() => { vi.useRealTimers(); });

  it('follows the progress to the result, however the stream is cut', async () => {
    const whole = block('progress', { done: 1, of: 3, values: 2, alerts: 0 }) + block('result', result([]));
    const test = new BackTest({ open: async () => streamOf(whole.slice(0, 50), whole.slice(50)) });
    await test.run({ name: 'r' });
    expect(test.state.value).toBe('done');
    expect(test.progress.value).toMatchObject({ done: 1, of: 3 });
    expect(test.result.value?.devices).toBe(3);
  });
  it('names the place of what is wrong, and keeps the last result', async () => {
    let answer: () => Promise<Response> = async () => streamOf(block('result', result([])));
    const test = new BackTest({ open: () => answer() });
    await test.run({});
    const errors = [{ path: 'rule.levels[0].op', reason: 'unknown' }];
    answer = () => Promise.reject(new ApiError(400, 'rule.levels[0].op: unknown', undefined, errors));
    await test.run({});
    expect([test.state.value, test.errors.value, test.failure.value]).toEqual(['failed', errors, 'levels[0].op: unknown']);
    expect(test.result.value).toBeDefined();
    answer = async () => streamOf(block('error', { status: 503, detail: 'stopping' }));
    await test.run({});
    expect([test.state.value, test.failure.value]).toEqual(['failed', 'stopping']);
  });
  it('fails where the stream ends without a result', async () => {
    const test = new BackTest({ open: async () => streamOf(block('progress', { done: 0, of: 1, values: 0, alerts: 0 })) });
    await test.run({});
    expect(test.state.value).toBe('failed');
  });
  it('waits for another test of the account, and asks again', async () => {
    let asked = 0;
    const test = new BackTest({ open: async () => {
      if (++asked === 1) throw new ApiError(429, 'one at a time', 3);
      return streamOf(block('result', result([])));
    } });
    await test.run({});
    expect(test.state.value).toBe('waiting');
    await vi.advanceTimersByTimeAsync(2_999);
    expect(asked).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    await vi.waitFor(() => expect(test.state.value).toBe('done'));
  });
  it('asks once after the typing has paused; a newer rule ends the test of the older one, and so does Stop', async () => {
    const asked: { body: string; signal: AbortSignal }[] = [];
    const test = new BackTest({ open: (_, init) => {
      asked.push({ body: String(init!.body), signal: init!.signal! });
      return new Promise<Response>((_, reject) => init!.signal!.addEventListener('abort', () => reject(new Error('aborted'))));
    } });
    test.soon({ name: 'a' }, 700);
    await vi.advanceTimersByTimeAsync(600);
    test.soon({ name: 'ab' }, 700);
    await vi.advanceTimersByTimeAsync(700);
    expect(asked.map(({ body }) => JSON.parse(body).rule)).toEqual([{ id: 'preview', name: 'ab' }]);
    void test.run({ name: 'abc' });
    expect([asked[0]!.signal.aborted, asked[1]!.signal.aborted, test.state.value]).toEqual([true, false, 'running']);
    test.cancel();
    await vi.advanceTimersByTimeAsync(0);
    expect([asked[1]!.signal.aborted, test.state.value]).toEqual([true, 'cancelled']);
  });
});
