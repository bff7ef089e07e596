// marked_chart.tsx: values of one field over a fixed span, with the limits of a rule and when its alert was open.

import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { SeriesBucket } from '../api.ts';
import { formatDayClock, formatNumber, parseTime } from '../format.ts';
import { ChartBuckets } from '../store/chart_buckets.ts';
import { themeShown } from '../theme.ts';
import { Plot, type Hover } from './plot.ts';
import { withMarks, type Marks } from './plot_marks.ts';
import './marked_chart.css';

export interface ChartData {
  buckets: readonly SeriesBucket[];
  stepMs: number;
  startMs: number;
  endMs: number;
}

interface Props {
  data: ChartData;
  marks: Marks;
  label: string;
  legend: string;  // what the marks mean; where one points, the value there
  testId: string;
}

export function MarkedChart({ data, marks, label, legend, testId }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const hover = useSignal<Hover | undefined>(undefined);
  const theme = themeShown.value;
  const columns = useMemo(() => bucketsOf(data).columns(), [data]);
  const drawn = JSON.stringify(marks);
  const plot = useRef<Plot | undefined>(undefined);
  useEffect(() => {
    const made = new Plot(box.current!, (at) => { hover.value = at; }, withMarks(marks));
    plot.current = made;
    return () => made.destroy();
  }, [theme, drawn]);
  useEffect(() => plot.current?.draw(columns, data.startMs, data.endMs), [theme, drawn, columns, data]);
  const at = hover.value;
  return (
    <>
      <div class="canvas" ref={box} role="img" aria-label={label} data-testid={testId} data-points={columns.t.length} />
      <p class="legend muted num">
        {at ? `${formatDayClock(at.t)} · ${formatNumber(at.avg)}${at.min === at.max ? '' : ` (${formatNumber(at.min)} – ${formatNumber(at.max)})`}` : legend}
      </p>
    </>
  );
}

function bucketsOf({ buckets, stepMs, startMs, endMs }: ChartData): ChartBuckets {
  const series = { '': [...buckets] };
  const [start, end] = [startMs, endMs].map((ms) => new Date(ms).toISOString()) as [string, string];
  return ChartBuckets.fromAnswer({ deviceId: '', topic: '', start, end, stepMs, series, truncated: false }, '', buckets.length + 2);
}

export const rangeOf = (answer: { start: string; end: string }): { startMs: number; endMs: number } =>
  ({ startMs: parseTime(answer.start) ?? 0, endMs: parseTime(answer.end) ?? 0 });
