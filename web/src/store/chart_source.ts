// chart_source.ts: the points of one field over one span: read once from the server, then kept up by live events.

import type { TelemetryEvent } from '../../sdk/index.ts';
import type { Api } from '../api.ts';
import { asNumber, parseTime } from '../format.ts';
import { ChartBuckets } from './chart_buckets.ts';
import type { Device } from './devices.ts';

export const kRanges = {
  '5m': { spanMs: 300_000, points: 300 },
  '15m': { spanMs: 900_000, points: 450 },
  '1h': { spanMs: 3_600_000, points: 600 },
} as const;
export type Range = keyof typeof kRanges;

export class ChartSource {
  state: 'loading' | 'ready' | 'failed' = 'loading';
  buckets: ChartBuckets;
  private early: { t: number; value: number }[] = [];  // came while the past was being read
  private loads = 0;

  constructor(
    private readonly api: Api, readonly device: Device, readonly field: string, readonly range: Range,
    private readonly changed: () => void,
  ) {
    this.buckets = new ChartBuckets(this.stepMs, 0, kRanges[range].points + 2);
  }

  get spanMs(): number { return kRanges[this.range].spanMs; }
  private get stepMs(): number { return this.spanMs / kRanges[this.range].points; }

  async load(nowMs: number): Promise<void> {
    const load = ++this.loads;
    const { points } = kRanges[this.range];
    // Whole steps, so that a bucket filled live is the same bucket the server would make.
    const end = (Math.floor(nowMs / this.stepMs) + 1) * this.stepMs;
    try {
      const answer = await this.api.series({
        deviceId: this.device.deviceId,
        siteId: this.device.siteId,
        fields: this.field,
        start: new Date(end - this.spanMs).toISOString(),
        end: new Date(end).toISOString(),
        points,
      });
      if (load !== this.loads) return;
      this.buckets = ChartBuckets.fromAnswer(answer, this.field, points + 2);
      this.state = 'ready';
    } catch {
      if (load !== this.loads) return;
      this.state = 'failed';
    }
    for (const point of this.early) this.buckets.addUnlessSeeded(point.t, point.value);
    this.early = [];
    this.changed();
  }

  add(event: TelemetryEvent): void {
    const raw = event.data.fields[this.field];
    const value = raw === undefined ? undefined : asNumber(raw);
    const t = parseTime(event.ts);
    if (value === undefined || t === undefined) return;
    if (this.state === 'loading') {
      if (this.early.length < 10_000) this.early.push({ t, value });
    } else {
      this.buckets.add(t, value);
    }
  }
}
