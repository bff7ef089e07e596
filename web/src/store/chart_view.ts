// chart_view.ts: which part of the time some charts show: the last of it, sliding along; or that as it stood when someone
// stopped it; or a part of it.

import { computed, signal } from '@preact/signals';
import type { Span } from './chart_source.ts';

const kSmallestMs = 5_000;

export class ChartView {
  readonly paused = signal(false);
  readonly zoom = signal<Span | undefined>(undefined);
  private readonly stoppedMs = signal<number | undefined>(undefined);
  readonly still = computed(() => this.stoppedMs.value !== undefined);

  constructor(private readonly spanMs: number) {}

  // Everything there is to see.
  whole(nowMs: number): Span {
    const toMs = this.stoppedMs.value ?? nowMs;
    return { fromMs: toMs - this.spanMs, toMs };
  }
  shown(nowMs: number): Span { return this.zoom.value ?? this.whole(nowMs); }

  pause(nowMs: number): void {
    this.paused.value = true;
    this.stoppedMs.value ??= nowMs;
  }
  resume(): void {
    this.paused.value = false;
    this.zoom.value = this.stoppedMs.value = undefined;
  }

  // Cut to what there is to see; all of that is no zoom.
  zoomTo(span: Span, nowMs: number): void {
    const whole = this.whole(nowMs);
    const width = Math.max(kSmallestMs, Math.min(this.spanMs, span.toMs - span.fromMs));
    if (width >= this.spanMs) return this.reset();
    const fromMs = Math.max(whole.fromMs, Math.min(whole.toMs - width, span.fromMs));
    this.stoppedMs.value = whole.toMs;
    this.zoom.value = { fromMs, toMs: fromMs + width };
  }
  // Around the middle; a factor below 1 shows less.
  zoomBy(factor: number, nowMs: number): void {
    const { fromMs, toMs } = this.shown(nowMs);
    const middle = (fromMs + toMs) / 2;
    const half = ((toMs - fromMs) / 2) * factor;
    this.zoomTo({ fromMs: middle - half, toMs: middle + half }, nowMs);
  }
  // By a part of what is shown; below 0 to earlier times.
  move(part: number, nowMs: number): void {
    if (!this.zoom.value) return;
    const { fromMs, toMs } = this.zoom.value;
    const by = (toMs - fromMs) * part;
    this.zoomTo({ fromMs: fromMs + by, toMs: toMs + by }, nowMs);
  }
  reset(): void {
    this.zoom.value = undefined;
    if (!this.paused.value) this.stoppedMs.value = undefined;
  }
}
