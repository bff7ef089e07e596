import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Dashboard } from '../dashboard.ts';
import { text } from '../text.ts';
import { ChartCanvas } from './chart_canvas.tsx';
import { chartLabel, Readout } from './chart_words.tsx';
import { useDashboard } from './context.ts';
import { PresenceMark } from './icons.tsx';
import { PageLink } from './page_link.tsx';
import { Plot, type Hover } from './plot.ts';
import { PointTable } from './point_table.tsx';
import { RangeChoice } from './range_choice.tsx';
import { StaleNote } from './stale_note.tsx';

// Not the source of the last rendering: another may have taken its place since.
function drawLive(dashboard: Dashboard, plot: Plot): void {
  const source = dashboard.chart.peek();
  if (!source) return;
  const to = dashboard.asOfMs() ?? dashboard.serverNow();
  source.buckets.trim(to - source.spanMs);
  plot.draw(source.buckets.columns(), to - source.spanMs, to);
}

export function ChartPanel() {
  const dashboard = useDashboard();
  const hover = useSignal<Hover | undefined>(undefined);
  const onHover = useRef((at: Hover | undefined) => { hover.value = at; });
  dashboard.drawn.value;
  const device = dashboard.chosen.value;
  const source = dashboard.chart.value;
  const fields = device ? dashboard.chartFields(device) : [];
  const unit = source?.device.cells.get(source.field)?.unit;
  return (
    <section class="card chart" aria-label={text.chart} data-testid="chart-panel" data-device={device?.deviceId}>
      <div class="card-head">
        <h2 class="cut" title={device?.deviceId}>
          {device ? <PageLink page="device" values={dashboard.placeOf(device)} testId="chart-device">{device.deviceId}</PageLink> : text.chart}
        </h2>
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
        <RangeChoice choose={(range) => dashboard.chooseRange(range)} />
      </div>
      {!source && <p class="note">{device ? text.chartNoNumbers : text.chartNothing}</p>}
      {source && (
        <>
          <Readout buckets={source.buckets} unit={unit} hover={hover.value} />
          <ChartCanvas
            field={source.field} points={source.buckets.size} label={chartLabel(source, source.field)}
            make={(box) => new Plot(box, onHover.current)} draw={(plot) => drawLive(dashboard, plot)}
          />
          {source.state === 'failed' && (
            <p class="note">{text.chartFailed} <button type="button" onClick={() => dashboard.reloadChart()}>{text.retry}</button></p>
          )}
          {source.state === 'ready' && source.buckets.size === 0 && <p class="note">{text.chartNoPoints}</p>}
          <PointTable buckets={source.buckets} />
        </>
      )}
    </section>
  );
}
