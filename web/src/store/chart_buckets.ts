// chart_buckets.ts: one field of one device over time, as buckets that keep the true extremes.
//
// Shapes   bucket k covers [origin + k*step, origin + (k+1)*step) ms; empty buckets are left out.
// Limits   `capacity` buckets; the oldest make room.

import type { SeriesAnswer, SeriesBucket } from '../api.ts';
import { parseTime } from '../format.ts';

export interface ChartColumns {
  t: number[];  // seconds
  avg: (number | null)[];
  max: (number | null)[];
  min: (number | null)[];
}
export interface ChartStats {
  last: number;
  min: number;
  max: number;
}
export interface ChartPoint {
  t: number;  // ms
  avg: number;
  min: number;
  max: number;
}

export class ChartBuckets {
  // Columns of twice the capacity: the live part slides along and is moved back to the front once a lap.
  private readonly t: Float64Array;
  private readonly sum: Float64Array;
  private readonly count: Float64Array;
  private readonly min: Float64Array;
  private readonly max: Float64Array;
  private readonly last: Float64Array;
  private seededUntilMs = -Infinity;
  private start = 0;
  private end = 0;

  constructor(readonly stepMs: number, private readonly originMs: number, private readonly capacity: number) {
    const column = () => new Float64Array(capacity * 2);
    [this.t, this.sum, this.count, this.min, this.max, this.last] =
      [column(), column(), column(), column(), column(), column()];
  }

  static fromAnswer(answer: SeriesAnswer, field: string, capacity: number): ChartBuckets {
    const buckets = new ChartBuckets(Math.max(1, answer.stepMs), parseTime(answer.start) ?? 0, capacity);
    for (const bucket of answer.series[field] ?? []) buckets.seed(bucket);
    return buckets;
  }

  get size(): number { return this.end - this.start; }

  add(tMs: number, value: number): void {
    const index = this.slot(this.originMs + Math.floor((tMs - this.originMs) / this.stepMs) * this.stepMs);
    if (index < 0) return;
    this.sum[index]! += value;
    this.count[index]! += 1;
    this.min[index] = Math.min(this.min[index]!, value);
    this.max[index] = Math.max(this.max[index]!, value);
    this.last[index] = value;
  }

  // A point that the server's answer may already hold: it widens a bucket from there, but is not counted again.
  addUnlessSeeded(tMs: number, value: number): void {
    if (tMs >= this.seededUntilMs) return this.add(tMs, value);
    for (let i = this.end - 1; i >= this.start && this.t[i]! + this.stepMs > tMs; --i) {
      if (this.t[i]! > tMs) continue;
      this.min[i] = Math.min(this.min[i]!, value);
      this.max[i] = Math.max(this.max[i]!, value);
      this.last[i] = value;
    }
  }

  trim(beforeMs: number): void {
    while (this.start < this.end && this.t[this.start]! + this.stepMs <= beforeMs) ++this.start;
  }

  // A row of nulls stands where nothing came for longer than the device usually lets pass, so that no line joins
  // the two sides.
  columns(): ChartColumns {
    const out: ChartColumns = { t: [], avg: [], max: [], min: [] };
    const hole = this.holeMs();
    for (let i = this.start; i < this.end; ++i) {
      if (i > this.start && this.t[i]! - this.t[i - 1]! > hole) {
        out.t.push((this.t[i - 1]! + this.stepMs) / 1000);
        out.avg.push(null);
        out.max.push(null);
        out.min.push(null);
      }
      out.t.push(this.t[i]! / 1000);
      out.avg.push(this.sum[i]! / this.count[i]!);
      out.max.push(this.max[i]!);
      out.min.push(this.min[i]!);
    }
    return out;
  }

  stats(): ChartStats | undefined {
    if (this.size === 0) return undefined;
    let min = Infinity;
    let max = -Infinity;
    for (let i = this.start; i < this.end; ++i) {
      min = Math.min(min, this.min[i]!);
      max = Math.max(max, this.max[i]!);
    }
    return { last: this.last[this.end - 1]!, min, max };
  }

  // Newest first.
  newest(count: number): ChartPoint[] {
    const points: ChartPoint[] = [];
    for (let i = this.end - 1; i >= this.start && points.length < count; --i) {
      points.push({ t: this.t[i]!, avg: this.sum[i]! / this.count[i]!, min: this.min[i]!, max: this.max[i]! });
    }
    return points;
  }

  private seed(bucket: SeriesBucket): void {
    const t = parseTime(bucket.t);
    const index = t === undefined ? -1 : this.slot(t);
    if (t === undefined || index < 0) return;
    this.seededUntilMs = Math.max(this.seededUntilMs, t + this.stepMs);
    this.sum[index] = bucket.avg * bucket.count;
    this.count[index] = bucket.count;
    this.min[index] = bucket.min;
    this.max[index] = bucket.max;
    this.last[index] = bucket.last;
  }

  // Where the bucket that starts at `t` is, made empty if it was not there; -1 when it is older than a full ring holds.
  private slot(t: number): number {
    let at = this.end;
    while (at > this.start && this.t[at - 1]! > t) --at;
    if (at > this.start && this.t[at - 1] === t) return at - 1;
    if (this.size === this.capacity) {
      if (at === this.start) return -1;
      ++this.start;
    }
    if (this.end === this.t.length) {
      for (const column of this.allColumns()) column.copyWithin(0, this.start, this.end);
      at -= this.start;
      this.end -= this.start;
      this.start = 0;
    }
    for (const column of this.allColumns()) column.copyWithin(at + 1, at, this.end);
    ++this.end;
    this.t[at] = t;
    this.sum[at] = this.count[at] = 0;
    this.min[at] = Infinity;
    this.max[at] = -Infinity;
    return at;
  }

  private allColumns(): Float64Array[] { return [this.t, this.sum, this.count, this.min, this.max, this.last]; }

  private holeMs(): number {
    const steps: number[] = [];
    for (let i = this.start + 1; i < this.end; ++i) steps.push(this.t[i]! - this.t[i - 1]!);
    if (steps.length === 0) return Infinity;
    steps.sort((a, b) => a - b);
    return Math.max(this.stepMs * 2.5, steps[steps.length >> 1]! * 4);
  }
}
