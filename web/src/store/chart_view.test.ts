// chart_view.test.ts: the part of the time that is shown: it slides, stands still, and is a part of what there is.

import { describe, expect, it } from 'vitest';
import { ChartView } from './chart_view.ts';

const span = (view: ChartView, now: number) => {
  const { fromMs, toMs } = view.shown(now);
  return [fromMs, toMs];
};

describe('ChartView', () => {
  it('shows the last of the time, which slides', () => {
    const view = new ChartView(60_000);
    expect([span(view, 100_000), span(view, 130_000)]).toEqual([[40_000, 100_000], [70_000, 130_000]]);
    expect(view.still.value).toBe(false);
  });
  it('stands still while it is paused, and slides on after that', () => {
    const view = new ChartView(60_000);
    view.pause(100_000);
    expect(span(view, 500_000)).toEqual([40_000, 100_000]);
    view.zoomBy(0.5, 500_000);
    view.reset();
    expect(span(view, 500_000)).toEqual([40_000, 100_000]);
    view.resume();
    expect(span(view, 500_000)).toEqual([440_000, 500_000]);
  });
  it('zooms around the middle, moves, and never leaves what there is', () => {
    const view = new ChartView(60_000);
    view.zoomBy(0.5, 100_000);
    expect(span(view, 900_000)).toEqual([55_000, 85_000]);
    view.move(0.25, 900_000);
    expect(span(view, 900_000)).toEqual([62_500, 92_500]);
    view.move(5, 900_000);
    expect(span(view, 900_000)).toEqual([70_000, 100_000]);
    view.move(-5, 900_000);
    expect(span(view, 900_000)).toEqual([40_000, 70_000]);
    view.zoomTo({ fromMs: 90_000, toMs: 120_000 }, 900_000);
    expect(span(view, 900_000)).toEqual([70_000, 100_000]);
  });
  it('is no zoom when all is shown, and slides on', () => {
    const view = new ChartView(60_000);
    view.zoomBy(0.5, 100_000);
    view.zoomBy(2, 110_000);
    expect([view.zoom.value, view.still.value]).toEqual([undefined, false]);
    expect(span(view, 110_000)).toEqual([50_000, 110_000]);
    view.move(0.5, 110_000);
    expect(view.zoom.value).toBeUndefined();
  });
  it('has a smallest part', () => {
    const view = new ChartView(60_000);
    for (let i = 0; i < 20; ++i) view.zoomBy(0.5, 100_000);
    expect(span(view, 0)[1]! - span(view, 0)[0]!).toBe(5_000);
  });
});
