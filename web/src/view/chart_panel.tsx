import { useSignal, useSignalEffect } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { formatClock, formatNumber } from '../format.ts';
import { kRanges, type ChartSource, type Range } from '../store/chart_source.ts';
import { text } from '../text.ts';
import { themeShown } from '../theme.ts';
import { useDashboard } from './context.ts';
import { PresenceMark } from './icons.tsx';
import { Plot, type Hover } from './plot.ts';
import { StaleNote } from './stale_note.tsx';

const kTablePoints = 20;

function chartLabel(source: ChartSource): string {
  const stats = source.buckets.stats();
  const said = stats
    ? text.chartStats(formatNumber(stats.last), formatNumber(stats.min), formatNumber(stats.max)) : '';
  return text.chartLabel(source.field, source.device.deviceId, text.rangesLong[source.range], said);
}

// The canvas: made anew for another theme, drawn again at every drawing of the page.
function Canvas({ source, onHover }: { source: ChartSource; onHover: (hover: Hover | undefined) => void }) {
  const dashboard = useDashboard();
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<{ plot: Plot; theme: string } | undefined>(undefined);
  useSignalEffect(() => {
    dashboard.drawn.value;
    const theme = themeShown.value;
    const shown = dashboard.chart.value;
    if (!box.current || !shown || document.hidden) return;
    if (plot.current?.theme !== theme) {
      plot.current?.plot.destroy();
      plot.current = { plot: new Plot(box.current, onHover), theme };
    }
    const to = dashboard.asOfMs() ?? dashboard.serverNow();
    shown.buckets.trim(to - shown.spanMs);
    plot.current.plot.draw(shown.buckets.columns(), to - shown.spanMs, to);
  });
  const release = useRef((element: HTMLDivElement | null) => {
    box.current = element;
    if (element) return;
    plot.current?.plot.destroy();
    plot.current = undefined;
  });
  return (
    <div
      class="canvas" ref={release.current} role="img" data-testid="chart" data-field={source.field}
      data-points={source.buckets.size} aria-label={chartLabel(source)}
    />
  );
}

function Readout({ source, hover }: { source: ChartSource; hover: Hover | undefined }) {
  const stats = source.buckets.stats();
  const pairs: [string, string][] = hover
    ? [[text.time, formatClock(hover.t)], [text.average, formatNumber(hover.avg)],
       [text.lowest, formatNumber(hover.min)], [text.highest, formatNumber(hover.max)]]
    : [[text.now, stats ? formatNumber(stats.last) : text.none],
       [text.lowest, stats ? formatNumber(stats.min) : text.none],
       [text.highest, stats ? formatNumber(stats.max) : text.none]];
  return (
    <dl class="readout">
      {pairs.map(([name, value]) => (
        <div key={name}><dt>{name}</dt><dd class="num live-value">{value}</dd></div>
      ))}
    </dl>
  );
}

function PointTable({ source }: { source: ChartSource }) {
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
            {source.buckets.newest(kTablePoints).map((point) => (
              <tr key={point.t}>
                <td class="num">{formatClock(point.t)}</td><td class="num">{formatNumber(point.avg)}</td>
                <td class="num">{formatNumber(point.min)}</td><td class="num">{formatNumber(point.max)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </details>
  );
}

function RangeChoice() {
  const dashboard = useDashboard();
  return (
    <div class="segments" role="group" aria-label={text.range}>
      {(Object.keys(kRanges) as Range[]).map((range) => (
        <button
          type="button" key={range} data-testid={`range-${range}`} aria-pressed={dashboard.place.range.value === range}
          onClick={() => dashboard.chooseRange(range)}
        >{text.ranges[range]}</button>
      ))}
    </div>
  );
}

export function ChartPanel() {
  const dashboard = useDashboard();
  const hover = useSignal<Hover | undefined>(undefined);
  const onHover = useRef((at: Hover | undefined) => { hover.value = at; });
  dashboard.drawn.value;
  const device = dashboard.chosen.value;
  const source = dashboard.chart.value;
  const fields = device ? dashboard.chartFields(device) : [];
  return (
    <section class="card chart" aria-label={text.chart} data-testid="chart-panel" data-device={device?.deviceId}>
      <div class="card-head">
        <h2 class="cut" title={device?.deviceId}>{device ? device.deviceId : text.chart}</h2>
        {device && <PresenceMark status={device.status} />}
        <StaleNote />
        <span class="grow" />
        {source && (
          <select
            data-testid="chart-field" aria-label={text.field} value={source.field}
            onChange={(event) => dashboard.chooseField(event.currentTarget.value)}
          >
            {fields.map((field) => <option key={field} value={field}>{field}</option>)}
          </select>
        )}
        <RangeChoice />
      </div>
      {!source && <p class="note">{device ? text.chartNoNumbers : text.chartNothing}</p>}
      {source && (
        <>
          <Readout source={source} hover={hover.value} />
          <Canvas source={source} onHover={onHover.current} />
          {source.state === 'failed' && (
            <p class="note">{text.chartFailed} <button type="button" onClick={() => dashboard.reloadChart()}>{text.retry}</button></p>
          )}
          {source.state === 'ready' && source.buckets.size === 0 && <p class="note">{text.chartNoPoints}</p>}
          <PointTable source={source} />
        </>
      )}
    </section>
  );
}
