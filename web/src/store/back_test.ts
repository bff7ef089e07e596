// back_test.ts: what a rule would have made of the last 24 hours, asked of the server; one at a time, the newest wins.
//
// Errors   A refusal of the rule names its place (`errors`). When another test of the account is running, it is asked again.

import { batch, signal } from '@preact/signals';
import { SseReader, type AlertData, type Severity } from '../../sdk/index.ts';
import { ApiError, type Api, type SeriesBucket, type Wrong } from '../api.ts';
import { parseTime } from '../format.ts';
import { rankOf } from './booked_alerts.ts';
import type { JsonObject } from './rule_draft.ts';

export interface Transition {
  ts: string;
  topic: string;
  data: AlertData;
}
export interface PreviewLevel {
  severity: Severity;
  op: string;
  value: number | string | number[];
  clear?: number | number[];
}
export interface Preview {
  topic: string;
  field: string;
  fn: string;
  levels?: PreviewLevel[];
  guard?: { op: string; value: number | string | number[] };
  stepMs: number;
  buckets: SeriesBucket[];
}
export interface TestResult {
  since: string;
  until: string;
  devices: number;
  values: number;
  alerts: number;
  transitions: Transition[];
  truncated?: number;
  preview: Preview[];
}
export interface Progress {
  done: number;
  of: number;
  values: number;
  alerts: number;
}
export interface OpenSpan {
  fromMs: number;
  toMs: number;
  severity: Severity;  // the highest of it
}

const kAgainMs = 2_000;
const kPoints = 480;

export class BackTest {
  readonly state = signal<'idle' | 'waiting' | 'running' | 'done' | 'failed' | 'cancelled'>('idle');
  readonly progress = signal<Progress | undefined>(undefined);
  readonly result = signal<TestResult | undefined>(undefined);
  readonly failure = signal('');
  readonly errors = signal<readonly Wrong[]>([]);
  private running: AbortController | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly api: Pick<Api, 'open'>) {}

  // After a pause, for one who is still typing.
  soon(rule: JsonObject, ms: number): void {
    this.stop();
    this.timer = setTimeout(() => void this.run(rule), ms);
  }

  async run(rule: JsonObject): Promise<void> {
    this.stop();
    const running = (this.running = new AbortController());
    batch(() => {
      this.state.value = 'running';
      this.progress.value = undefined;
    });
    try {
      // It need not have an id yet.
      const response = await this.api.open('/api/rules/test', {
        method: 'POST', signal: running.signal,
        headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
        body: JSON.stringify({ rule: { id: 'preview', ...rule }, points: kPoints }),
      });
      await this.follow(response, running);
    } catch (error) {
      if (this.running === running && !running.signal.aborted) this.refused(error, rule);
    }
  }

  cancel(): void {
    this.stop();
    this.state.value = 'cancelled';
  }

  stop(): void {
    clearTimeout(this.timer);
    this.running?.abort();
    this.running = undefined;
  }

  private async follow(response: Response, running: AbortController): Promise<void> {
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    const sse = new SseReader(({ event, data }) => {
      if (this.running === running) this.take(event, JSON.parse(data) as unknown);
    });
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      sse.feed(value);
    }
    if (this.running === running && this.state.value === 'running') throw new ApiError(0, '');
  }

  private take(event: string, said: unknown): void {
    if (event === 'progress') this.progress.value = said as Progress;
    if (event === 'error') {
      const { status, detail, errors } = said as { status?: number; detail?: string; errors?: Wrong[] };
      throw new ApiError(status ?? 0, detail ?? '', undefined, errors ?? []);
    }
    if (event !== 'result') return;
    batch(() => {
      this.result.value = said as TestResult;
      this.errors.value = [];
      this.failure.value = '';
      this.state.value = 'done';
    });
  }

  private refused(error: unknown, rule: JsonObject): void {
    const problem = error instanceof ApiError ? error : undefined;
    batch(() => {
      this.errors.value = problem?.errors ?? [];
      this.failure.value = problem?.message.replace(/^rule\./, '') ?? '';
      this.state.value = problem?.status === 429 ? 'waiting' : 'failed';
    });
    if (problem?.status === 429) this.timer = setTimeout(() => void this.run(rule), (problem.retryAfterS ?? 0) * 1000 || kAgainMs);
  }
}

export interface DeviceOutcome {
  topic: string;
  alerts: number;
  severity: Severity;
  firstMs: number;
  openMs: number;  // in all
  open: boolean;   // at the end
}

// The devices that would have had alerts, the worst first.
export function outcomes(result: TestResult): DeviceOutcome[] {
  const topics = [...new Set(result.transitions.map((transition) => transition.topic))];
  return topics.map((topic) => {
    const spans = openSpans(result, topic);
    const worst = spans.reduce((severity, span) => (rankOf(span.severity) < rankOf(severity) ? span.severity : severity), 'info' as Severity);
    return {
      topic, alerts: spans.length, severity: worst, firstMs: spans[0]?.fromMs ?? 0,
      openMs: spans.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0),
      open: spans.some((span) => span.toMs >= (parseTime(result.until) ?? 0)),
    };
  }).sort((a, b) => rankOf(a.severity) - rankOf(b.severity) || b.openMs - a.openMs);
}

// When the alerts of a device would have been open. One that does not end is open to the end.
export function openSpans(result: TestResult, topic: string): OpenSpan[] {
  const until = parseTime(result.until) ?? 0;
  const byAlert = new Map<string, OpenSpan>();
  for (const { topic: of, ts, data } of result.transitions) {
    if (of !== topic) continue;
    const at = parseTime(ts) ?? until;
    const span = byAlert.get(data.alertId) ?? { fromMs: parseTime(data.startedAt) ?? at, toMs: until, severity: data.severity };
    if (rankOf(data.severity) < rankOf(span.severity)) span.severity = data.severity;
    if (data.state === 'resolved') span.toMs = parseTime(data.endedAt) ?? at;
    byAlert.set(data.alertId, span);
  }
  return [...byAlert.values()];
}
