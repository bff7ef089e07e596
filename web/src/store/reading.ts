// reading.ts: one answer of the server that a page shows: read, read again, and how it stands.
//
// Errors   an answer that failed leaves the last one in view; a refused credential ends the session.

import { batch, signal } from '@preact/signals';
import { ApiError } from '../api.ts';
import type { Load } from '../dashboard.ts';

export class Reading<Answer> {
  readonly answer = signal<Answer | undefined>(undefined);
  readonly load = signal<Load>('loading');
  readonly error = signal('');
  private timer: ReturnType<typeof setTimeout> | undefined;
  private turn = 0;
  private stopped = false;

  // `everyMs`: read again after that, for as long as the page is in view.
  constructor(
    private readonly read: () => Promise<Answer>, private readonly refused: (status: 401 | 403) => void,
    private readonly everyMs?: number,
  ) {}

  async refresh(): Promise<void> {
    const turn = ++this.turn;
    clearTimeout(this.timer);
    try {
      const answer = await this.read();
      if (turn !== this.turn) return;
      batch(() => {
        this.answer.value = answer;
        this.load.value = 'ready';
        this.error.value = '';
      });
    } catch (error) {
      if (turn !== this.turn) return;
      batch(() => {
        this.load.value = 'failed';
        this.error.value = error instanceof ApiError ? error.message : '';
      });
      if (error instanceof ApiError && error.status === 401) this.refused(401);
    }
    if (this.everyMs !== undefined && !this.stopped) this.timer = setTimeout(() => void this.again(), this.everyMs);
  }

  stop(): void {
    this.stopped = true;
    ++this.turn;
    clearTimeout(this.timer);
  }

  private async again(): Promise<void> {
    if (document.visibilityState === 'visible') return this.refresh();
    this.timer = setTimeout(() => void this.again(), this.everyMs);
  }
}
