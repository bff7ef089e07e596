import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { formatDayClock, formatSpan, parseTime } from '../format.ts';
import { openSpans, outcomes, type BackTest, type Preview, type TestResult } from '../store/back_test.ts';
import { isWhole, type JsonObject } from '../store/rule_draft.ts';
import { text } from '../text.ts';
import { parseDeviceTopic } from '../topic.ts';
import { SeverityMark } from '../view/icons.tsx';
import { MarkedChart, rangeOf } from '../view/marked_chart.tsx';
import { PageLink } from '../view/page_link.tsx';
import type { MarkLine } from '../view/plot_marks.ts';
import { rulesText } from './rules_text.ts';

const kDevices = 50;
const whole = new Intl.NumberFormat('en');
const deviceOf = (topic: string): string => parseDeviceTopic(topic)?.device ?? topic;

const numbersOf = (limit: number | string | number[] | undefined): number[] =>
  (typeof limit === 'number' ? [limit] : Array.isArray(limit) ? limit : []);

function linesOf({ levels = [], guard }: Preview): MarkLine[] {
  return [
    ...levels.flatMap(({ severity, value, clear }) => [
      ...numbersOf(value).map((limit) => ({ value: limit, severity })),
      ...numbersOf(clear).map((limit) => ({ value: limit, severity, clear: true })),
    ]),
    ...numbersOf(guard?.value).map((value) => ({ value })),
  ];
}

// Of a device that has been here for a part of the day only, that part.
function begin({ buckets, stepMs }: Preview, { startMs, endMs }: { startMs: number; endMs: number }): number {
  const first = parseTime(buckets[0]?.t);
  return first === undefined ? startMs : Math.max(startMs, Math.min(first - stepMs, endMs - 6 * stepMs));
}

function Charts({ result }: { result: TestResult }) {
  const chosen = useSignal(0);
  const preview = result.preview[chosen.value] ?? result.preview[0];
  const range = useMemo(() => rangeOf({ start: result.since, end: result.until }), [result]);
  const data = useMemo(() => preview && { buckets: preview.buckets, stepMs: preview.stepMs, ...range, startMs: begin(preview, range) }, [preview, range]);
  if (!preview || !data) return null;
  const nameOf = ({ fn, field, topic }: Preview) => `${deviceOf(topic)} · ${rulesText.chartWhole(rulesText.shortFunctions[fn] ?? fn, field)}`;
  return (
    <>
      <div class="part">
        <select aria-label={rulesText.chartChoice} value={result.preview.indexOf(preview)} data-testid="preview-choice" onChange={(event) => { chosen.value = Number(event.currentTarget.value); }}>
          {result.preview.map((one, i) => <option key={i} value={i}>{nameOf(one)}</option>)}
        </select>
      </div>
      <MarkedChart
        data={data} label={rulesText.chartOf(preview.field, deviceOf(preview.topic))} legend={rulesText.chartLegend} testId="preview-chart"
        marks={{ lines: linesOf(preview), spans: openSpans(result, preview.topic) }}
      />
    </>
  );
}

function Devices({ result }: { result: TestResult }) {
  const rows = useMemo(() => outcomes(result), [result]);
  if (rows.length === 0) return null;
  return (
    <table class="points outcomes" data-testid="preview-devices">
      <caption>{rulesText.deviceAlerts}</caption>
      <thead><tr>
        <th scope="col">{text.device}</th><th scope="col">{rulesText.alertsColumn}</th>
        <th scope="col">{rulesText.openColumn}</th><th scope="col">{rulesText.firstColumn}</th>
      </tr></thead>
      <tbody>
        {rows.slice(0, kDevices).map(({ topic, alerts, severity, openMs, open, firstMs }) => (
          <tr key={topic}>
            <td><SeverityMark severity={severity} /> <PageLink page="device" values={{ device: deviceOf(topic), site: parseDeviceTopic(topic)?.site }}>{deviceOf(topic)}</PageLink></td>
            <td class="num">{alerts}</td>
            <td class="num">{formatSpan(openMs)}{open && <span class="muted"> {rulesText.stillOpen}</span>}</td>
            <td class="num">{formatDayClock(firstMs)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export default function RulePreview({ test, json }: { test: BackTest; json: JsonObject }) {
  const state = test.state.value;
  const progress = test.progress.value;
  const result = test.result.value;
  const ready = isWhole(json);
  const running = state === 'running' || state === 'waiting';
  const hit = result ? new Set(result.transitions.map(({ topic }) => topic)).size : 0;
  return (
    <section class="rule-preview" aria-labelledby="preview-title" data-testid="preview" data-state={state}>
      <div class="preview-head">
        <h3 id="preview-title">{rulesText.preview}</h3>
        {running
          ? <button type="button" onClick={() => test.cancel()} data-testid="preview-stop">{rulesText.stop}</button>
          : <button type="button" disabled={!ready} onClick={() => void test.run(json)} data-testid="preview-run">{result ? rulesText.runAgain : rulesText.run}</button>}
      </div>
      {!ready && <p class="muted">{rulesText.previewIncomplete}</p>}
      <p role="status" class="preview-state" data-testid="preview-state">
        {state === 'running' && <>{rulesText.running} <span class="muted num">{progress && rulesText.progress(progress.done, progress.of)}</span></>}
        {state === 'waiting' && rulesText.waiting}
        {state === 'cancelled' && rulesText.cancelled}
        {state === 'failed' && <span class="refused">{test.failure.value || rulesText.unreachable}</span>}
        {state === 'done' && result && (
          <>
            <strong>{result.alerts === 0 ? rulesText.madeNone : rulesText.made(result.alerts)}</strong> {rulesText.onDevices(hit, result.devices)}
            <span class="muted num"> · {rulesText.looked(whole.format(result.values))}</span>
          </>
        )}
      </p>
      {running && <progress aria-label={rulesText.running} {...(progress ? { value: progress.done, max: Math.max(1, progress.of) } : {})} />}
      {result && (
        <div class={state === 'done' ? '' : 'earlier'}>
          <Charts result={result} />
          <Devices result={result} />
          {result.truncated !== undefined && <p class="muted">{rulesText.truncated(result.truncated)}</p>}
        </div>
      )}
    </section>
  );
}
