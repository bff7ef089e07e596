// device_charts.tsx: the charts of a device, one for each of its numbers, over one span of time that all of them share.

import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { AlertData } from '../../sdk/index.ts';
import { queryText, type SeriesQuery } from '../api.ts';
import { formatMoment, formatNumber, withUnit } from '../format.ts';
import { limitsOf, marksOf, type Described, type RuleAnswer } from '../store/chart_marks.ts';
import { ChartSource, kRanges, type Range } from '../store/chart_source.ts';
import { ChartView } from '../store/chart_view.ts';
import type { Device } from '../store/devices.ts';
import { text } from '../text.ts';
import { words } from './device_text.ts';
import { ChartCanvas } from '../view/chart_canvas.tsx';
import { chartLabel, Readout } from '../view/chart_words.tsx';
import { useDashboard } from '../view/context.ts';
import { SeverityMark } from '../view/icons.tsx';
import type { Hover } from '../view/plot.ts';
import { PointTable } from '../view/point_table.tsx';
import { RangeChoice } from '../view/range_choice.tsx';
import { devicePlot, type Marks } from './device_plot.ts';

const kChartsMax = 12;    // more are shown when asked for
const kFieldsMax = 60;    // one question names at most 64
const kZoomWaitMs = 150;  // for the next step of a zoom
const kTablePoints = 720;

interface Props {
  device: Device;
  rules: RuleAnswer[];
  described: Described;
  alerts: AlertData[];  // of this device
}

// Fed live while it is in view; read anew when the fields or the range are others.
function useSource(device: Device, fields: string[], range: Range): ChartSource {
  const dashboard = useDashboard();
  const source = useMemo(
    () => new ChartSource(dashboard.api, device, fields, range, () => dashboard.mark()),
    [dashboard, device, fields.join('\n'), range],
  );
  useEffect(() => {
    dashboard.pageCharts.add(source);
    void source.load(dashboard.serverNow());
    return () => { dashboard.pageCharts.delete(source); };
  }, [source]);
  return source;
}

// The chosen part, finer than it is in the whole.
function useZoomed(source: ChartSource, view: ChartView): ChartSource | undefined {
  const dashboard = useDashboard();
  const span = view.zoom.value;
  const zoomed = useMemo(
    () => span && new ChartSource(dashboard.api, source.device, source.fields, source.range, () => dashboard.mark(), span),
    [source, span],
  );
  useEffect(() => {
    if (!zoomed) return;
    const timer = setTimeout(() => void zoomed.load(dashboard.serverNow()), kZoomWaitMs);
    return () => clearTimeout(timer);
  }, [zoomed]);
  return zoomed;
}

export function DeviceCharts({ device, rules, described, alerts }: Props) {
  const dashboard = useDashboard();
  dashboard.drawn.value;
  const { place } = dashboard;
  const most = useSignal(kChartsMax);
  const range = place.range.value;
  const all = dashboard.chartFields(device);
  const wanted = place.get('field');
  const one = wanted !== undefined && all.includes(wanted);
  const fields = one ? [wanted] : all.slice(0, most.value);
  const view = useMemo(() => new ChartView(kRanges[range].spanMs), [device, range]);
  const source = useSource(device, fields, range);
  const zoomed = useZoomed(source, view);
  const shown = zoomed?.state === 'ready' ? zoomed : source;
  const now = dashboard.asOfMs() ?? dashboard.serverNow();

  const pause = () => {
    source.held = !view.paused.value;
    if (source.held) view.pause(now);
    else {
      view.resume();
      void source.load(dashboard.serverNow());
    }
  };
  // Single keys, unless something is being typed or chosen.
  const keys = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || (event.target as HTMLElement).matches('input, select, .rows')) return;
    const act: Record<string, () => void> = {
      '+': () => view.zoomBy(0.5, now), '-': () => view.zoomBy(2, now), '0': () => view.reset(), p: pause,
      ArrowLeft: () => view.move(-0.5, now), ArrowRight: () => view.move(0.5, now),
    };
    const found = act[event.key];
    if (!found || (event.key.startsWith('Arrow') && !view.zoom.value)) return;
    event.preventDefault();
    found();
  };
  const choose = (field: string | undefined) => place.set({ field });
  return (
    <section class="device-charts" aria-labelledby="charts-title" onKeyDown={keys} data-testid="device-charts">
      <div class="card card-head">
        <h3 id="charts-title">{words.charts}</h3>
        {one && <button type="button" data-testid="all-fields" onClick={() => choose(undefined)}>{words.allFields}</button>}
        <span class="grow" />
        <RangeChoice choose={(to) => place.set({ range: to })} />
        <ZoomButtons view={view} now={now} />
        <button type="button" data-testid="pause" aria-pressed={view.paused.value} title={words.pauseKey} onClick={pause}>
          {view.paused.value ? words.resume : words.pause}
        </button>
        <Download query={shown.query(view.whole(now).toMs)} name={`${device.deviceId}-${range}`} />
        <SpanNote view={view} now={now} />
      </div>
      {all.length === 0 && <p class="card note">{text.chartNoNumbers}</p>}
      {source.state === 'failed' && (
        <p class="card note" role="alert">
          {text.chartFailed} <button type="button" onClick={() => void source.load(dashboard.serverNow())}>{text.retry}</button>
        </p>
      )}
      <div class={one ? 'charts one' : 'charts'}>
        {fields.map((field) => (
          <FieldChart
            key={field} field={field} source={shown} view={view} unit={device.cells.get(field)?.unit}
            marks={{ limits: limitsOf(field, rules, described, alerts.filter((alert) => alert.state !== 'resolved')), alerts: marksOf(field, alerts) }}
            enlarge={one ? undefined : () => choose(field)}
          />
        ))}
      </div>
      {!one && all.length > fields.length && most.value < kFieldsMax && (
        <p><button type="button" onClick={() => { most.value = Math.min(kFieldsMax, most.value + kChartsMax); }}>
          {words.moreCharts(all.length - fields.length)}
        </button></p>
      )}
    </section>
  );
}

function ZoomButtons({ view, now }: { view: ChartView; now: number }) {
  const zoomed = view.zoom.value !== undefined;
  const button = (name: string, sign: string, label: string, act: () => void, off = false) => (
    <button type="button" data-testid={name} aria-label={label} title={label} disabled={off} onClick={act}>{sign}</button>
  );
  return (
    <div class="segments" role="group" aria-label={words.zoom}>
      {button('zoom-in', '+', words.zoomIn, () => view.zoomBy(0.5, now))}
      {button('zoom-out', '−', words.zoomOut, () => view.zoomBy(2, now), !zoomed)}
      {button('earlier', '←', words.earlier, () => view.move(-0.5, now), !zoomed)}
      {button('later', '→', words.later, () => view.move(0.5, now), !zoomed)}
      {button('zoom-reset', words.resetSign, words.reset, () => view.reset(), !zoomed)}
    </div>
  );
}

function SpanNote({ view, now }: { view: ChartView; now: number }) {
  const { fromMs, toMs } = view.shown(now);
  return (
    <span class={view.still.value ? 'span-note num' : 'span-note'} role="status" data-testid="span">
      {view.still.value && words.span(formatMoment(fromMs), formatMoment(toMs))}
    </span>
  );
}

// The very buckets that are drawn, as the server writes them.
function Download({ query, name }: { query: SeriesQuery; name: string }) {
  const { api } = useDashboard();
  const failed = useSignal(false);
  const download = async () => {
    failed.value = false;
    try {
      const answer = await api.open(`/api/series${queryText(query)}`, { headers: { Accept: 'text/csv' } });
      const url = URL.createObjectURL(await answer.blob());
      const link = Object.assign(document.createElement('a'), { href: url, download: `${name}.csv` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    } catch {
      failed.value = true;
    }
  };
  return (
    <>
      <button type="button" data-testid="csv" title={words.csvHint} onClick={() => void download()}>{words.csv}</button>
      {failed.value && <span class="refused" role="alert">{words.csvFailed}</span>}
    </>
  );
}

interface FieldProps {
  field: string;
  source: ChartSource;
  view: ChartView;
  unit: string | undefined;
  marks: Marks;
  enlarge: (() => void) | undefined;
}

function FieldChart({ field, source, view, unit, marks, enlarge }: FieldProps) {
  const dashboard = useDashboard();
  dashboard.drawn.value;
  const hover = useSignal<Hover | undefined>(undefined);
  const last = useRef({ source, view, marks });
  last.current = { source, view, marks };
  const buckets = source.of(field);
  const now = () => dashboard.asOfMs() ?? dashboard.serverNow();
  return (
    <section class="card chart" aria-label={field} data-testid="field-chart" data-field={field}>
      <div class="card-head">
        <h4 class="cut" title={field}>{field}{unit && <span class="muted"> {unit}</span>}</h4>
        <span class="grow" />
        {enlarge && <button type="button" class="quiet" data-testid="enlarge" aria-label={words.enlargeOf(field)} onClick={enlarge}>{words.enlarge}</button>}
      </div>
      <Readout buckets={buckets} unit={unit} hover={hover.value} last={view.still.value ? words.last : text.now} />
      <ChartCanvas
        field={field} points={buckets.size} label={chartLabel(source, field)}
        make={(box) => devicePlot(box, {
          hover: (at) => { hover.value = at; },
          zoom: (span) => last.current.view.zoomTo(span, now()),
          reset: () => last.current.view.reset(),
          marks: () => last.current.marks,
        })}
        draw={(plot) => {
          const { fromMs, toMs } = last.current.view.shown(now());
          const drawn = last.current.source.of(field);
          if (!last.current.view.still.value) drawn.trim(fromMs);
          plot.draw(drawn.columns(), fromMs, toMs);
        }}
      />
      {source.state === 'ready' && buckets.size === 0 && <p class="note">{text.chartNoPoints}</p>}
      {marks.limits.length > 0 && (
        <ul class="limits" aria-label={words.limits} data-testid="limits">
          {marks.limits.map((limit) => (
            <li key={`${limit.severity} ${limit.op} ${limit.value}`} title={limit.name}>
              <SeverityMark severity={limit.severity} /> {limit.op} <span class="num">{withUnit(formatNumber(limit.value), unit)}</span>
            </li>
          ))}
        </ul>
      )}
      <PointTable buckets={buckets} count={kTablePoints} />
    </section>
  );
}
