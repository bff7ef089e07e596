// metrics.ts: what /metrics says (Prometheus text 0.0.4), and what became of it in the last minutes.
//
// Limits   the newest kSamples samples.

// "name" or "name{label=\"value\"}", with its value.
export type Metrics = ReadonlyMap<string, number>;

export function parseMetrics(text: string): Metrics {
  const metrics = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue;
    const space = line.lastIndexOf(' ');
    const value = Number(line.slice(space + 1).replace('+Inf', 'Infinity'));
    if (space > 0 && !Number.isNaN(value)) metrics.set(line.slice(0, space), value);
  }
  return metrics;
}

// The labelled ones of a name: [["malformed", 3], …] for its label `label`.
export function labelled(metrics: Metrics, name: string, label: string): [string, number][] {
  const start = `${name}{${label}="`;
  return [...metrics].filter(([key]) => key.startsWith(start)).map(([key, value]) => [key.slice(start.length, -2), value]);
}

export interface Bucket {
  upTo: number;   // seconds
  count: number;  // of this one alone
}
export interface Histogram {
  buckets: Bucket[];
  count: number;
}

// What came into it since `before`; all of it without one.
export function histogram(metrics: Metrics, name: string, before?: Metrics): Histogram {
  let below = 0;
  const buckets = labelled(metrics, `${name}_bucket`, 'le').map(([le, value]) => {
    const total = value - (before?.get(`${name}_bucket{le="${le}"}`) ?? 0);
    const count = Math.max(0, total - below);
    below = Math.max(below, total);
    return { upTo: Number(le.replace('+Inf', 'Infinity')), count };
  });
  return { buckets, count: below };
}

// As Prometheus reckons it: evenly within the bucket. Undefined for one that is empty.
export function quantile({ buckets, count }: Histogram, part: number): number | undefined {
  if (count === 0) return undefined;
  let [left, from] = [part * count, 0];
  for (const { upTo, count: here } of buckets) {
    if (here > 0 && left <= here) return Number.isFinite(upTo) ? from + (upTo - from) * (left / here) : from;
    left -= here;
    from = upTo;
  }
  return from;
}

// The buckets worth drawing: from the first that holds anything to the last, at least `least` of them.
export function worthDrawing(buckets: readonly Bucket[], least: number): Bucket[] {
  const held = buckets.map(({ count }) => count > 0);
  let [first, last] = [held.indexOf(true), held.lastIndexOf(true)];
  if (first < 0) return [];
  for (let more = least - (last - first + 1); more > 0; --more) {
    if (first > 0 && (more % 2 === 0 || last === buckets.length - 1)) --first;
    else if (last < buckets.length - 1) ++last;
  }
  return buckets.slice(first, last + 1);
}

export const kSamples = 76;  // 5 minutes, one every 4 s

export interface Sample {
  atMs: number;
  metrics: Metrics;
}

export class MetricsHistory {
  readonly samples: Sample[] = [];

  add(sample: Sample): void {
    const before = this.samples.at(-1);
    if (before && hasBegunAnew(before.metrics, sample.metrics)) this.samples.length = 0;
    this.samples.push(sample);
    if (this.samples.length > kSamples) this.samples.shift();
  }

  get now(): Metrics { return this.samples.at(-1)?.metrics ?? new Map(); }
  get spanMs(): number { return this.samples.length < 2 ? 0 : this.samples.at(-1)!.atMs - this.samples[0]!.atMs; }

  // Per second, between each sample and the one before it.
  rates(key: string): number[] {
    return this.samples.slice(1).map(({ atMs, metrics }, i) => {
      const before = this.samples[i]!;
      return ((metrics.get(key) ?? 0) - (before.metrics.get(key) ?? 0)) / Math.max(0.001, (atMs - before.atMs) / 1000);
    });
  }
  values(key: string): number[] { return this.samples.map(({ metrics }) => metrics.get(key) ?? 0); }

  // How much more a counter has become over the samples.
  more(key: string): number {
    return this.samples.length < 2 ? 0 : (this.now.get(key) ?? 0) - (this.samples[0]!.metrics.get(key) ?? 0);
  }
  // Of the samples' span; of the server's whole life while there is but one.
  histogram(name: string): Histogram {
    return histogram(this.now, name, this.samples.length < 2 ? undefined : this.samples[0]!.metrics);
  }
}

// A counter that went back is of another process.
function hasBegunAnew(before: Metrics, after: Metrics): boolean {
  for (const [key, value] of before) {
    if (/_(total|count|bucket)(\{|$)/.test(key) && (after.get(key) ?? 0) < value) return true;
  }
  return false;
}
