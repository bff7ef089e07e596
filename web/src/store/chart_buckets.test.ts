import { describe, expect, it } from 'vitest';
import type { SeriesAnswer } from '../api.ts';
import { ChartBuckets } from './chart_buckets.ts';

const answer = (buckets: [t: number, min: number, max: number, avg: number, last: number, count: number][]): SeriesAnswer => ({
  deviceId: 'd', topic: 't', start: new Date(10_000).toISOString(), end: new Date(20_000).toISOString(), stepMs: 1000,
  series: { T1: buckets.map(([t, min, max, avg, last, count]) => ({ t: new Date(t).toISOString(), min, max, avg, last, count })) },
  truncated: false,
});

describe('ChartBuckets', () => {
  it('puts points into buckets that keep the true extremes', () => {
    const chart = new ChartBuckets(1000, 0, 10);
    for (const [t, value] of [[100, 5], [900, 1], [500, 9], [1000, 2]] as const) chart.add(t, value);
    expect(chart.columns()).toEqual({ t: [0, 1], avg: [5, 2], max: [9, 2], min: [1, 2] });
    expect(chart.stats()).toEqual({ last: 2, min: 1, max: 9 });
  });
  it('goes on where the server\'s buckets end, on the same grid', () => {
    const chart = ChartBuckets.fromAnswer(answer([[10_000, 1, 3, 2, 3, 2], [11_000, 4, 4, 4, 4, 1]]), 'T1', 10);
    chart.add(11_400, 6);
    chart.add(12_001, 7);
    expect(chart.columns()).toEqual({ t: [10, 11, 12], avg: [2, 5, 7], max: [3, 6, 7], min: [1, 4, 7] });
  });
  it('is empty for a field the server has nothing of', () => {
    const chart = ChartBuckets.fromAnswer(answer([]), 'other', 10);
    expect(chart.size).toBe(0);
    expect(chart.stats()).toBeUndefined();
    expect(chart.columns().t).toEqual([]);
  });
  it('does not count twice what came live while the answer was on its way', () => {
    const chart = ChartBuckets.fromAnswer(answer([[10_000, 1, 3, 2, 3, 2]]), 'T1', 10);
    chart.addUnlessSeeded(10_500, 3);
    chart.addUnlessSeeded(11_500, 8);
    expect(chart.columns()).toEqual({ t: [10, 11], avg: [2, 8], max: [3, 8], min: [1, 8] });
  });
  it('puts late points where they belong', () => {
    const chart = new ChartBuckets(1000, 0, 10);
    for (const t of [5000, 1000, 3000, 2000, 4000, 1500]) chart.add(t, t);
    expect(chart.columns()).toMatchObject({ t: [1, 2, 3, 4, 5], avg: [1250, 2000, 3000, 4000, 5000] });
  });
  it('breaks the line with nulls where nothing came for long, and only there', () => {
    const chart = new ChartBuckets(1000, 0, 20);
    for (const t of [0, 1000, 2000, 3000, 9000, 10_000, 12_000]) chart.add(t, 1);
    expect(chart.columns()).toEqual({
      t: [0, 1, 2, 3, 4, 9, 10, 12], avg: [1, 1, 1, 1, null, 1, 1, 1],
      max: [1, 1, 1, 1, null, 1, 1, 1], min: [1, 1, 1, 1, null, 1, 1, 1],
    });
  });
  it('joins the points of a device that simply is slow', () => {
    const chart = new ChartBuckets(1000, 0, 20);
    for (let t = 0; t < 100_000; t += 10_000) chart.add(t, 1);
    expect(chart.columns().avg).not.toContain(null);
  });
  it('keeps the newest when it is full, over many laps, as a plain list would', () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
    let state = seed || 1;
    const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
    const chart = new ChartBuckets(10, 0, 7);
    let model: { t: number; values: number[] }[] = [];
    for (let i = 0, now = 0; i < 3_000; ++i) {
      now += Math.floor(random() * 12);
      const t = Math.max(0, now - (random() < 0.2 ? Math.floor(random() * 90) : 0));
      const start = Math.floor(t / 10) * 10;
      chart.add(t, i);
      const there = model.find((bucket) => bucket.t === start);
      if (there) there.values.push(i);
      else model = [...model, { t: start, values: [i] }].sort((a, b) => a.t - b.t);
      model = model.slice(-7);
      const points = chart.newest(100).reverse();
      expect(points, `SEED=${seed} step ${i}`).toEqual(model.map(({ t: at, values }) => ({
        t: at, avg: values.reduce((sum, value) => sum + value, 0) / values.length,
        min: Math.min(...values), max: Math.max(...values),
      })));
    }
  });
  it('trims whole buckets that have left the span', () => {
    const chart = new ChartBuckets(1000, 0, 10);
    for (const t of [0, 1000, 2000]) chart.add(t, 1);
    chart.trim(1999);
    expect(chart.columns().t).toEqual([1, 2]);
    chart.trim(2000);
    expect(chart.columns().t).toEqual([2]);
    chart.add(500, 4);
    expect(chart.size).toBe(2);
  });
});
