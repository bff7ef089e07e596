// plot_marks.ts: what a rule says, drawn into a Plot: lines of its limits and the spans in which an alert was open. The scale
// reaches as far as the lines do, so that none is out of sight.

import type uPlot from 'uplot';
import type { Severity } from '../../sdk/index.ts';
import type { Colour } from './plot.ts';

export interface MarkLine {
  value: number;
  severity?: Severity;  // none: a guard
  clear?: boolean;      // the limit of the way back
}
export interface MarkSpan {
  fromMs: number;
  toMs: number;
  severity: Severity;
}
export interface Marks {
  lines: readonly MarkLine[];
  spans: readonly MarkSpan[];
}

// For a Plot, as it is made.
export function withMarks({ lines, spans }: Marks): (options: uPlot.Options, colour: Colour) => void {
  return (options, colour) => {
    options.scales = { ...options.scales, y: { range: (_, low, high) => reach(lines, low, high) } };
    options.plugins = [{
      hooks: { drawClear: (chart) => drawSpans(chart, spans, colour), draw: (chart) => drawLines(chart, lines, colour) },
    }];
  };
}

function reach(lines: readonly MarkLine[], low: number | null, high: number | null): [number, number] {
  const values = [...lines.map((line) => line.value), ...[low, high].filter((value) => value !== null)];
  if (values.length === 0) return [0, 1];
  const min = Math.min(...values);
  const max = Math.max(...values);
  const margin = (max - min) * 0.08 || Math.abs(max) * 0.1 || 1;
  return [min - margin, max + margin];
}

// A light wash, and a strip at the bottom that is seen also where colours are not.
function drawSpans(chart: uPlot, spans: readonly MarkSpan[], colour: Colour): void {
  const { ctx, bbox } = chart;
  ctx.save();
  for (const { fromMs, toMs, severity } of spans) {
    const from = Math.max(bbox.left, chart.valToPos(fromMs / 1000, 'x', true));
    const to = Math.min(bbox.left + bbox.width, chart.valToPos(toMs / 1000, 'x', true));
    if (to < bbox.left || from > bbox.left + bbox.width) continue;
    const width = Math.max(to - from, devicePixelRatio);
    ctx.fillStyle = colour(`--${severity}`);
    ctx.globalAlpha = 0.12;
    ctx.fillRect(from, bbox.top, width, bbox.height);
    ctx.globalAlpha = 1;
    ctx.fillRect(from, bbox.top + bbox.height - 3 * devicePixelRatio, width, 3 * devicePixelRatio);
  }
  ctx.restore();
}

function drawLines(chart: uPlot, lines: readonly MarkLine[], colour: Colour): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  for (const { value, severity, clear } of lines) {
    const y = Math.round(chart.valToPos(value, 'y', true)) + 0.5;
    ctx.strokeStyle = colour(`--${severity ?? 'muted'}`);
    ctx.setLineDash((clear ? [2, 4] : [8, 4]).map((length) => length * devicePixelRatio));
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}
