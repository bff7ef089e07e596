// rate.ts: how many events a second, over the last whole seconds.

const kSeconds = 5;

export class Rate {
  private readonly counts = new Array<number>(kSeconds + 1).fill(0);
  private second = 0;

  add(nowMs: number): void {
    this.advance(nowMs);
    this.counts[this.second % this.counts.length]! += 1;
  }

  perSecond(nowMs: number): number {
    this.advance(nowMs);
    const current = this.counts[this.second % this.counts.length]!;  // not over yet
    return (this.counts.reduce((sum, count) => sum + count, 0) - current) / kSeconds;
  }

  private advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    if (second - this.second >= this.counts.length) this.counts.fill(0);
    else for (let s = this.second + 1; s <= second; ++s) this.counts[s % this.counts.length] = 0;
    if (second > this.second) this.second = second;
  }
}
