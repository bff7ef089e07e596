// chart_words.tsx: what a chart says in words: its name for those who do not see it, and its numbers.

import { formatMoment, formatNumber, withUnit } from '../format.ts';
import type { ChartBuckets } from '../store/chart_buckets.ts';
import type { ChartSource } from '../store/chart_source.ts';
import { text } from '../text.ts';
import type { Hover } from './plot.ts';

export function chartLabel(source: ChartSource, field: string): string {
  const stats = source.of(field).stats();
  const said = stats
    ? text.chartStats(formatNumber(stats.last), formatNumber(stats.min), formatNumber(stats.max)) : '';
  return text.chartLabel(field, source.device.deviceId, text.rangesLong[source.range], said);
}

interface Props {
  buckets: ChartBuckets;
  unit: string | undefined;
  hover: Hover | undefined;
  last?: string;  // what the last value is called
}

export function Readout({ buckets, unit, hover, last = text.now }: Props) {
  const stats = buckets.stats();
  const value = (number: number | undefined) => (number === undefined ? text.none : withUnit(formatNumber(number), unit));
  const pairs: [string, string][] = hover
    ? [[text.time, formatMoment(hover.t)], [text.average, value(hover.avg)], [text.lowest, value(hover.min)],
       [text.highest, value(hover.max)]]
    : [[last, value(stats?.last)], [text.lowest, value(stats?.min)], [text.highest, value(stats?.max)]];
  return (
    <dl class="readout">
      {pairs.map(([name, said]) => (
        <div key={name}><dt>{name}</dt><dd class="num live-value">{said}</dd></div>
      ))}
    </dl>
  );
}
