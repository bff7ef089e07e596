// recent.ts: the last few numbers of one field, for a drawing the size of a word.

export const kRecent = 40;

export class Recent {
  private readonly values = new Float32Array(kRecent);
  added = 0;  // in all; what was drawn at this count need not be drawn again

  get size(): number { return Math.min(this.added, kRecent); }

  add(value: number): void { this.values[this.added++ % kRecent] = value; }

  // From 0, the oldest.
  at(index: number): number { return this.values[(this.added - this.size + index) % kRecent]!; }
}
