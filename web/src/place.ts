// place.ts: where one is on the page, as its address says it: which page, and what of it. So it can be sent to someone.
//
// Shapes   The page is "page" in the query, absent for the overview; every page has parameters of its own. Parameters of
//          others stay as they are.

import { computed, signal } from '@preact/signals';
import { kRanges, type Range } from './store/chart_source.ts';

// Each page with the parameters it knows.
export const kPages = {
  overview: ['device', 'site', 'field', 'range'],
  device: ['device', 'site', 'field', 'range'],
  alerts: ['alert', 'severity', 'state', 'search'],
  rules: ['rule'],
  events: ['topics', 'types'],
  status: [],
  connect: ['way'],
  users: [],
} as const;
export type Page = keyof typeof kPages;
export type Values = Record<string, string | undefined>;
export type How = 'push' | 'replace';  // whether the browser's back button returns to where one was

const kKnown = new Set<string>(['page', ...Object.values(kPages).flat()]);
const kUsual: Values = { page: 'overview', range: '15m' };  // what need not be said

export class Place {
  private readonly search = signal('');
  private readonly query = computed(() => new URLSearchParams(this.search.value));
  readonly page = computed<Page>(() => {
    const page = this.query.value.get('page') ?? '';
    return Object.hasOwn(kPages, page) ? (page as Page) : 'overview';
  });
  readonly range = computed<Range>(() => {
    const range = this.query.value.get('range') ?? '';
    return Object.hasOwn(kRanges, range) ? (range as Range) : '15m';
  });

  constructor(search: string, private readonly onMove?: (search: string, how: How) => void) {
    this.search.value = search;
  }

  // On a wall: the overview alone, larger, with nothing to operate.
  get kiosk(): boolean { return this.get('kiosk') === '1'; }
  get(name: string): string | undefined { return this.query.value.get(name) || undefined; }
  // On the same page.
  set(values: Values, how: How = 'replace'): void { this.move(withValues(this.query.peek(), values), how); }
  // To another one.
  go(page: Page, values: Values = {}): void { this.move(this.href(page, values), 'push'); }
  // "?page=…", or "?" alone, for a link.
  href(page: Page, values: Values = {}): string {
    const query = new URLSearchParams(this.query.value);
    for (const name of kKnown) query.delete(name);
    return withValues(query, { page, ...values });
  }
  // The browser has gone back or forward.
  returned(search: string): void { this.search.value = search; }

  private move(search: string, how: How): void {
    if (new URLSearchParams(search).toString() === this.query.peek().toString()) return;
    this.search.value = search;
    this.onMove?.(search, how);
  }
}

function withValues(from: URLSearchParams, values: Values): string {
  const query = new URLSearchParams(from);
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === kUsual[name]) query.delete(name);
    else query.set(name, value);
  }
  return `?${query}`;
}
