// chart_source.ts: the points of some fields of a device over one span: read once from the server, then kept up by live
// events; or of a span that is over, read once.

import type { TelemetryEvent } from '../../sdk/index.ts';
import type { Api, SeriesQuery } from '../api.ts';
import { asNumber, parseTime } from '../format.ts';
import { ChartBuckets } from './chart_buckets.ts';
import type { Device } from './devices.ts';

export const kRanges = {
  '5m': { spanMs: 300_000, points: 300 },
  '15m': { spanMs: 900_000, points: 450 },
  '1h': { spanMs: 3_600_000, points: 600 },
  '6h': { spanMs: 21_600_000, points: 720 },
  '24h': { spanMs: 86_400_000, points: 720 },
} as const;
export type Range = keyof typeof kRanges;
export interface Span {
  fromMs: number;
  toMs: number;
}

const kSpanPoints = 600;
const kEarlyMax = 10_000;

export class ChartSource {
  state: 'loading' | 'ready' | 'failed' = 'loading';
  held = false;  // what comes now is left out; load() makes up for it
  private readonly points: number;
  private readonly stepMs: number;
  private readonly byField = new Map<string, ChartBuckets>();
  private early: { field: string; t: number; value: number }[] = [];  // came while the past was being read
  private loads = 0;
  private reading = false;

  constructor(
    private readonly api: Api, readonly device: Device, readonly fields: readonly string[], readonly range: Range,
    private readonly changed: () => void, private readonly span?: Span,
  ) {
    this.points = span ? kSpanPoints : kRanges[range].points;
    this.stepMs = Math.max(1, Math.ceil((span ? span.toMs - span.fromMs : this.spanMs) / this.points));
    for (const field of fields) this.byField.set(field, new ChartBuckets(this.stepMs, 0, this.points + 2));
  }

  get spanMs(): number { return kRanges[this.range].spanMs; }
  get field(): string { return this.fields[0]!; }
  get buckets(): ChartBuckets { return this.of(this.field); }
  of(field: string): ChartBuckets { return this.byField.get(field)!; }

  // Whole steps, so that a bucket filled live is the same bucket the server would make.
  query(nowMs: number, fields: readonly string[] = this.fields): SeriesQuery {
    const { stepMs, span } = this;
    const start = span ? Math.floor(span.fromMs / stepMs) * stepMs : undefined;
    const end = (Math.floor((span ? span.toMs - 1 : nowMs) / stepMs) + 1) * stepMs;
    return {
      deviceId: this.device.deviceId,
      siteId: this.device.siteId,
      fields: fields.join(','),
      start: new Date(start ?? end - this.spanMs).toISOString(),
      end: new Date(end).toISOString(),
      points: start === undefined ? this.points : Math.round((end - start) / stepMs),
    };
  }

  async load(nowMs: number): Promise<void> {
    const load = ++this.loads;
    this.early = [];
    this.reading = true;
    try {
      const answer = await this.api.series(this.query(nowMs));
      if (load !== this.loads) return;
      for (const field of this.fields) this.byField.set(field, ChartBuckets.fromAnswer(answer, field, this.points + 2));
      this.state = 'ready';
    } catch {
      if (load !== this.loads) return;
      if (this.state === 'ready') this.early = [];  // they are in what stays
      this.state = 'failed';
    }
    this.reading = false;
    for (const point of this.early) this.of(point.field).addUnlessSeeded(point.t, point.value);
    this.early = [];
    this.changed();
  }

  add(event: TelemetryEvent): void {
    if (this.held || this.span) return;
    const t = parseTime(event.ts);
    if (t === undefined) return;
    for (const field of this.fields) {
      const raw = event.data.fields[field];
      const value = raw === undefined ? undefined : asNumber(raw);
      if (value === undefined) continue;
      if (this.reading && this.early.length < kEarlyMax) this.early.push({ field, t, value });
      if (this.state !== 'loading') this.of(field).add(t, value);
    }
  }
}
