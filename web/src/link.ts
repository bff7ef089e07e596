// link.ts: what of the page is in its address, so that it can be sent to someone.

import { kRanges, type Range } from './store/chart_source.ts';

export interface Link {
  device: string | undefined;
  site: string | undefined;  // only needed where two sites have a device of the same name
  field: string | undefined;
  range: Range;
}

export function parseLink(search: string): Link {
  const query = new URLSearchParams(search);
  const range = query.get('range');
  return {
    device: query.get('device') || undefined,
    site: query.get('site') || undefined,
    field: query.get('field') || undefined,
    range: range !== null && Object.hasOwn(kRanges, range) ? (range as Range) : '15m',
  };
}

// Parameters of others stay as they are.
export function linkText(search: string, link: Link): string {
  const query = new URLSearchParams(search);
  for (const name of ['device', 'site', 'field', 'range'] as const) {
    const value = link[name];
    if (value === undefined || (name === 'range' && value === '15m')) query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  return text && `?${text}`;
}
