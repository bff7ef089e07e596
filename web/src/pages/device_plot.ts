// device_plot.ts: a chart that also shows limits and alerts, and in which a part of the time can be chosen.
//
// Flow     drag: that part; double click: all of it. The limits are lines over the points, the alerts a strip on the axis of
//          time with a mark where each began.

import uPlot from 'uplot';
import type { Severity } from '../../sdk/index.ts';
import { formatNumber } from '../format.ts';
import type { AlertMark, Limit } from '../store/chart_marks.ts';
import type { Span } from '../store/chart_source.ts';
import { Plot, type Colour, type Hover } from '../view/plot.ts';

export interface Marks {
  limits: Limit[];
  alerts: AlertMark[];
}
interface Wishes {
  hover: (hover: Hover | undefined) => void;
  zoom: (span: Span) => void;
  reset: () => void;
  marks: () => Marks;
}

const kDragMinPx = 4;

export function devicePlot(box: HTMLElement, wishes: Wishes): Plot {
  return new Plot(box, wishes.hover, (options, colour, font) => {
    options.cursor = {
      ...options.cursor,
      drag: { x: true, y: false, setScale: false },
      bind: { dblclick: () => () => { wishes.reset(); return null; } },
    };
    options.scales = {
      ...options.scales, y: { range: (_, low, high) => heightRange(low, high, wishes.marks().limits) },
    };
    options.hooks = {
      ...options.hooks,
      setSelect: [(chart) => choose(chart, wishes.zoom)],
      draw: [(chart) => drawMarks(chart, wishes.marks(), colour, font)],
    };
  });
}

function choose(chart: uPlot, zoom: (span: Span) => void): void {
  const { left, width } = chart.select;
  if (width < kDragMinPx) return;
  zoom({ fromMs: chart.posToVal(left, 'x') * 1000, toMs: chart.posToVal(left + width, 'x') * 1000 });
  chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
}

// The points fill the height; limits that are near are given room, and one that is far is only told in words.
function heightRange(low: number | null, high: number | null, limits: Limit[]): uPlot.Range.MinMax {
  if (low === null || high === null) return [null, null];
  const reach = Math.max(high - low, Math.abs(high) * 0.02);
  let [from, to] = [low, high];
  for (const { value } of limits) {
    if (value < low - reach || value > high + reach) continue;
    from = Math.min(from, value);
    to = Math.max(to, value);
  }
  return uPlot.rangeNum(from, to, 0.1, true);
}

function drawMarks(chart: uPlot, marks: Marks, colour: Colour, font: string): void {
  const pen = chart.ctx;
  const { left, top, width, height } = chart.bbox;
  const px = devicePixelRatio;
  pen.save();
  pen.beginPath();
  pen.rect(left, top, width, height);
  pen.clip();
  pen.font = font.replace(/^[\d.]+/, (size) => String(Number(size) * px));
  pen.textAlign = 'right';
  for (const limit of marks.limits) {
    const y = Math.round(chart.valToPos(limit.value, 'y', true));
    if (y < top || y > top + height) continue;
    pen.strokeStyle = pen.fillStyle = severityColour(limit.severity, colour);
    pen.lineWidth = px;
    pen.setLineDash([6 * px, 4 * px]);
    pen.beginPath();
    pen.moveTo(left, y);
    pen.lineTo(left + width, y);
    pen.stroke();
    const below = y - top < 16 * px;
    pen.textBaseline = below ? 'top' : 'bottom';
    pen.fillText(`${limit.op} ${formatNumber(limit.value)}`, left + width - 4 * px, y + (below ? 3 : -2) * px);
  }
  pen.setLineDash([]);
  const bottom = top + height;
  for (const alert of marks.alerts) {
    const from = chart.valToPos(alert.fromMs / 1000, 'x', true);
    const to = alert.toMs === undefined ? left + width : chart.valToPos(alert.toMs / 1000, 'x', true);
    pen.fillStyle = severityColour(alert.severity, colour);
    pen.fillRect(from, bottom - 4 * px, Math.max(2 * px, to - from), 4 * px);
    pen.beginPath();
    pen.moveTo(from, bottom - 12 * px);
    pen.lineTo(from + 5 * px, bottom - 4 * px);
    pen.lineTo(from - 5 * px, bottom - 4 * px);
    pen.fill();
  }
  pen.restore();
}

function severityColour(severity: Severity, colour: Colour): string { return colour(`--${severity}`); }
