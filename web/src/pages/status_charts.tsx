// status_charts.tsx: the small pictures of the status page: a line of the last minutes, and how times are spread.

import { formatCount, formatSeconds } from '../store/amounts.ts';
import { quantile, worthDrawing, type Histogram } from '../store/metrics.ts';
import { words } from './status_text.ts';

const kWide = 160;
const kHigh = 32;

export function Trend({ name, values, format }: { name: string; values: readonly number[]; format: (value: number) => string }) {
  const now = values.at(-1);
  const highest = Math.max(0, ...values);
  const x = (i: number) => (values.length < 2 ? kWide : (i / (values.length - 1)) * (kWide - 4) + 2).toFixed(1);
  const y = (value: number) => (kHigh - 2 - (highest === 0 ? 0 : (Math.max(0, value) / highest) * (kHigh - 4))).toFixed(1);
  const points = values.map((value, i) => `${x(i)},${y(value)}`).join(' ');
  return (
    <div class="trend" data-testid="spark">
      <dt>{name}</dt>
      <dd class="num live-value">{now === undefined ? '–' : format(now)}</dd>
      <dd class="trend-picture">
        <svg
          viewBox={`0 0 ${kWide} ${kHigh}`} preserveAspectRatio="none" role="img"
          aria-label={words.sparkLabel(name, now === undefined ? '–' : format(now), format(highest))}
        >
          <line x1="0" x2={kWide} y1={kHigh - 1} y2={kHigh - 1} class="trend-base" />
          {values.length > 1 && <polyline points={points} class="trend-line" vector-effect="non-scaling-stroke" />}
        </svg>
      </dd>
      {now !== undefined && <dd class="trend-highest num muted">{words.highest(format(highest))}</dd>}
    </div>
  );
}

const kBars = 12;

export function Spread({ name, explained, histogram }: { name: string; explained: string; histogram: Histogram }) {
  const [p50, p99] = [quantile(histogram, 0.5), quantile(histogram, 0.99)];
  const bars = worthDrawing(histogram.buckets, kBars);
  const most = Math.max(1, ...bars.map(({ count }) => count));
  const said = p50 === undefined || p99 === undefined ? undefined : [formatSeconds(p50), formatSeconds(p99)] as const;
  const edge = (upTo: number | undefined) => (upTo === undefined || !Number.isFinite(upTo) ? '' : formatSeconds(upTo));
  const step = kWide / Math.max(1, bars.length);
  return (
    <div class="spread" data-testid="latency" data-count={histogram.count}>
      <h3>{name}</h3>
      <p class="muted">{explained}</p>
      {said === undefined ? <p class="spread-none muted">{words.noTimes}</p> : (
        <>
          <svg
            viewBox={`0 0 ${kWide} 56`} preserveAspectRatio="none" role="img"
            aria-label={words.histogramLabel(name, said[0], said[1], formatCount(histogram.count))}
          >
            {bars.map(({ upTo, count }, i) => {
              const high = count === 0 ? 0 : Math.max(2, (count / most) * 54);
              const beyond = p99 !== undefined && upTo > p99 && (bars[i - 1]?.upTo ?? 0) >= p99;
              return <rect key={upTo} x={i * step + 1} width={step - 2} y={55 - high} height={high} class={beyond ? 'bar beyond' : 'bar'} />;
            })}
            <line x1="0" x2={kWide} y1="55.5" y2="55.5" class="trend-base" />
          </svg>
          <p class="spread-edges num muted" aria-hidden="true">
            <span>{edge(bars[0]?.upTo)}</span><span>{edge(bars[Math.floor(bars.length / 2)]?.upTo)}</span><span>{edge(bars.at(-1)?.upTo)}</span>
          </p>
          <dl class="spread-values">
            <div><dt>{words.p50}</dt><dd class="num live-value">{said[0]}</dd></div>
            <div><dt>{words.p99}</dt><dd class="num live-value">{said[1]}</dd></div>
            <div><dt>{words.measured}</dt><dd class="num live-value">{formatCount(histogram.count)}</dd></div>
          </dl>
        </>
      )}
    </div>
  );
}
