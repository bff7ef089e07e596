// fake_browser.ts: channels, locks and a document for several tabs within one test. What is said arrives a microtask later.

export class FakeChannel {
  static open: FakeChannel[] = [];
  onmessage: ((event: MessageEvent) => void) | null = null;
  constructor(readonly name: string) { FakeChannel.open.push(this); }

  postMessage(data: unknown): void {
    const copy: unknown = structuredClone(data);
    for (const other of FakeChannel.open.filter((each) => each !== this && each.name === this.name)) {
      queueMicrotask(() => other.onmessage?.({ data: copy } as MessageEvent));
    }
  }
  close(): void { FakeChannel.open = FakeChannel.open.filter((each) => each !== this); }
}

interface Request {
  run: () => Promise<void>;
  done: () => void;
  fail: (error: Error) => void;
}

// navigator.locks, exclusive ones.
export class FakeLocks {
  names: string[] = [];
  #held = new Map<string, Request>();
  #waiting = new Map<string, Request[]>();

  request(name: string, options: { steal?: boolean; signal?: AbortSignal }, run: () => Promise<void>): Promise<void> {
    this.names.push(name);
    return new Promise<void>((done, fail) => {
      const request: Request = { run, done, fail };
      const waiting = this.#waiting.get(name) ?? [];
      this.#waiting.set(name, waiting);
      if (options.steal) {
        this.#held.get(name)?.fail(new DOMException('stolen', 'AbortError'));
        this.#held.delete(name);
        waiting.unshift(request);
      } else {
        waiting.push(request);
        options.signal?.addEventListener('abort', () => {
          const at = waiting.indexOf(request);
          if (at < 0) return;
          waiting.splice(at, 1);
          fail(new DOMException('aborted', 'AbortError'));
        });
      }
      queueMicrotask(() => this.#next(name));
    });
  }

  #next(name: string): void {
    if (this.#held.has(name)) return;
    const request = this.#waiting.get(name)?.shift();
    if (!request) return;
    this.#held.set(name, request);
    void request.run().then(() => {
      if (this.#held.get(name) !== request) return;  // it was stolen meanwhile
      this.#held.delete(name);
      request.done();
      this.#next(name);
    });
  }
}

export class FakeDocument extends EventTarget {
  visibilityState: 'visible' | 'hidden' = 'visible';
  show(state: 'visible' | 'hidden'): void {
    this.visibilityState = state;
    this.dispatchEvent(new Event('visibilitychange'));
  }
}
