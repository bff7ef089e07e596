// plot.ts: uPlot dressed as one of our charts. It reads its colours once, so another theme needs another Plot.

import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { formatClock, formatClockShort, formatNumber } from '../format.ts';
import type { ChartColumns } from '../store/chart_buckets.ts';

export interface Hover {
  t: number;  // ms
  avg: number;
  min: number;
  max: number;
}

export type Colour = (property: string) => string;  // "--muted"

export class Plot {
  private readonly chart: uPlot;
  private readonly sizes: ResizeObserver;
  private window: [number, number] = [0, 1];

  // `adapt` may change how it is made.
  constructor(
    box: HTMLElement, onHover: (hover: Hover | undefined) => void,
    adapt?: (options: uPlot.Options, colour: Colour, font: string) => void,
  ) {
    const style = getComputedStyle(box);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const font = `11px ${style.fontFamily}`;
    const axis = {
      stroke: colour('--muted'), font,
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
    };
    const edge = { stroke: 'transparent', width: 0, points: { show: false } };
    const options: uPlot.Options = {
      width: Math.max(1, box.clientWidth),
      height: Math.max(1, box.clientHeight),
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: {
        drag: { x: false, y: false },
        y: false,
        points: { show: (_, i) => (i === 1 ? pointElement() : (undefined as never)) },
      },
      scales: { x: { time: true, range: () => this.window } },
      axes: [
        { ...axis, size: 26, space: 64, values: (_, splits, __, ___, step) => splits.map((t) => clockFor(step)(t * 1000)) },
        { ...axis, size: axisSize, values: (_, splits) => splits.map((value) => formatNumber(value)) },
      ],
      series: [
        {},
        { stroke: colour('--plot'), width: 1.5, points: { size: 5, fill: colour('--plot') } },
        edge,
        edge,
      ],
      bands: [{ series: [2, 3], fill: colour('--plot-band') }],
      hooks: { setCursor: [(chart) => onHover(hoverOf(chart))] },
    };
    adapt?.(options, colour, font);
    this.chart = new uPlot(options, [[], [], [], []], box);
    this.sizes = new ResizeObserver(() => {
      this.chart.setSize({ width: Math.max(1, box.clientWidth), height: Math.max(1, box.clientHeight) });
    });
    this.sizes.observe(box);
  }

  draw(columns: ChartColumns, fromMs: number, toMs: number): void {
    this.window = [fromMs / 1000, toMs / 1000];
    this.chart.setData([columns.t, columns.avg, columns.max, columns.min]);
  }

  destroy(): void {
    this.sizes.disconnect();
    this.chart.destroy();
  }
}

function pointElement(): HTMLElement {
  const element = document.createElement('div');
  element.className = 'plot-point';
  return element;
}

function clockFor(stepSeconds: number): (ms: number) => string {
  return stepSeconds < 60 ? formatClock : formatClockShort;
}

function hoverOf(chart: uPlot): Hover | undefined {
  const at = chart.cursor.idx;
  if (at === null || at === undefined) return undefined;
  const [t, avg, max, min] = chart.data.map((column) => column[at]);
  if (t == null || avg == null || max == null || min == null) return undefined;
  return { t: t * 1000, avg, min, max };
}

// As wide as the longest number needs, so that nothing is cut and nothing is wasted.
function axisSize(_: uPlot, values: string[] | null): number {
  const longest = (values ?? []).reduce((length, value) => Math.max(length, value?.length ?? 0), 2);
  return 14 + longest * 7;
}
