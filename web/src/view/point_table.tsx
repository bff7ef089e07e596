// point_table.tsx: the newest points of a chart in words.

import { useSignal } from '@preact/signals';
import { formatMoment, formatNumber } from '../format.ts';
import type { ChartBuckets } from '../store/chart_buckets.ts';
import { text } from '../text.ts';

export function PointTable({ buckets, count = 20 }: { buckets: ChartBuckets; count?: number }) {
  const open = useSignal(false);
  return (
    <details onToggle={(event) => { open.value = event.currentTarget.open; }}>
      <summary>{text.asTable}</summary>
      {open.value && (
        <table class="points">
          <thead><tr>
            <th scope="col">{text.time}</th><th scope="col">{text.average}</th>
            <th scope="col">{text.lowest}</th><th scope="col">{text.highest}</th>
          </tr></thead>
          <tbody>
            {buckets.newest(count).map((point) => (
              <tr key={point.t}>
                <td class="num">{formatMoment(point.t)}</td><td class="num">{formatNumber(point.avg)}</td>
                <td class="num">{formatNumber(point.min)}</td><td class="num">{formatNumber(point.max)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </details>
  );
}
