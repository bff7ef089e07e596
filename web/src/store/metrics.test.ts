import { describe, expect, it } from 'vitest';
import { histogram, kSamples, labelled, MetricsHistory, parseMetrics, quantile, worthDrawing } from './metrics.ts';

const text = (committed: number, quick: number, slow: number) => `# HELP millstream_x Words
# TYPE millstream_x counter
events_total ${committed}
rejected_total{reason="malformed"} 3
rejected_total{reason="future"} 0
step_seconds_bucket{le="1e-06"} ${quick}
step_seconds_bucket{le="0.001"} ${quick}
step_seconds_bucket{le="0.002"} ${quick + slow}
step_seconds_bucket{le="+Inf"} ${quick + slow}
step_seconds_sum 1.5
step_seconds_count ${quick + slow}
broken
`;

describe('metrics', () => {
  it('are read with their labels', () => {
    const metrics = parseMetrics(text(7, 1, 1));
    expect([metrics.get('events_total'), metrics.get('step_seconds_sum'), metrics.has('broken')]).toEqual([7, 1.5, false]);
    expect(labelled(metrics, 'rejected_total', 'reason')).toEqual([['malformed', 3], ['future', 0]]);
  });
  it('tell how times are spread, over all and since a moment', () => {
    const before = parseMetrics(text(0, 10, 0));
    const after = parseMetrics(text(0, 20, 30));
    expect(histogram(after, 'step_seconds').count).toBe(50);
    const since = histogram(after, 'step_seconds', before);
    expect(since.buckets.map(({ count }) => count)).toEqual([10, 0, 30, 0]);
    expect([quantile(since, 0.25), quantile(since, 0.5), quantile(since, 1)]).toEqual([1e-6, expect.closeTo(0.001333, 6), 0.002]);
    expect(quantile(histogram(before, 'step_seconds', before), 0.5)).toBeUndefined();
    expect(quantile({ buckets: [{ upTo: 2, count: 0 }, { upTo: Infinity, count: 4 }], count: 4 }, 0.99)).toBe(2);
  });
  it('are drawn where there is something, and not as one lonely bar', () => {
    const buckets = [0, 0, 0, 5, 0, 0].map((count, i) => ({ upTo: i, count }));
    expect(worthDrawing(buckets, 3).map(({ upTo }) => upTo)).toEqual([2, 3, 4]);
    expect(worthDrawing(buckets, 9).length).toBe(6);
    expect(worthDrawing(buckets.slice(0, 3), 3)).toEqual([]);
  });
});

describe('the history of metrics', () => {
  it('gives rates and what is more, of the newest samples', () => {
    const history = new MetricsHistory();
    for (let i = 0; i < kSamples + 3; ++i) history.add({ atMs: i * 4000, metrics: parseMetrics(text(i * 8, i, 0)) });
    expect(history.samples.length).toBe(kSamples);
    expect(new Set(history.rates('events_total'))).toEqual(new Set([2]));
    expect(history.more('events_total')).toBe((kSamples - 1) * 8);
    expect([history.spanMs, history.values('events_total').at(-1)]).toEqual([(kSamples - 1) * 4000, (kSamples + 2) * 8]);
    expect(history.histogram('step_seconds').count).toBe(kSamples - 1);
  });
  it('begins anew with the server', () => {
    const history = new MetricsHistory();
    history.add({ atMs: 0, metrics: parseMetrics(text(500, 5, 0)) });
    expect(history.histogram('step_seconds').count).toBe(5);
    history.add({ atMs: 4000, metrics: parseMetrics(text(20, 1, 0)) });
    expect([history.samples.length, history.rates('events_total'), history.more('events_total')]).toEqual([1, [], 0]);
  });
});
