// device_order.ts: which devices a table shows, in which order.

import type { Presence } from '../../sdk/index.ts';
import type { Device, PresenceCounts } from './devices.ts';

export type SortKey = 'status' | 'device' | 'site' | 'lastSeen';
export interface DeviceQuery {
  search: string;
  status: Presence | 'all';
  sort: SortKey;
  descending: boolean;
  grouped?: boolean;  // by site
}
export interface SiteRow {
  site: string;
  counts: PresenceCounts;
  size: number;
  closed: boolean;
}
export type TableRow = Device | SiteRow;

// Worst first, as someone looking for trouble reads.
const kRank: Record<Presence, number> = { offline: 0, stale: 1, unknown: 2, online: 3 };
const names = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

function compare(a: Device, b: Device, key: SortKey): number {
  switch (key) {
    case 'status': return kRank[a.status] - kRank[b.status];
    case 'site': return names.compare(a.siteId, b.siteId);
    case 'lastSeen': return (b.lastSeenMs ?? 0) - (a.lastSeenMs ?? 0);
    case 'device': return names.compare(a.deviceId, b.deviceId);
  }
}

function matches(device: Device, words: string[]): boolean {
  return words.every((word) =>
    device.deviceId.toLowerCase().includes(word) || device.siteId.toLowerCase().includes(word) ||
    [...device.cells.keys()].some((field) => field.toLowerCase().includes(word)));
}

// Ties stay in the order of names, then of topics, so that rows do not change places by themselves.
export function orderDevices(devices: Iterable<Device>, query: DeviceQuery): Device[] {
  const words = query.search.toLowerCase().split(/\s+/).filter((word) => word !== '');
  const shown: Device[] = [];
  for (const device of devices) {
    if (query.status !== 'all' && device.status !== query.status) continue;
    if (words.length > 0 && !matches(device, words)) continue;
    shown.push(device);
  }
  const sign = query.descending ? -1 : 1;
  return shown.sort((a, b) =>
    sign * compare(a, b, query.sort) || compare(a, b, 'device') || (a.topic < b.topic ? -1 : 1));
}

// A row for each site, and under it, unless it is closed, its devices as they are ordered.
export function groupBySite(devices: Device[], closed: ReadonlySet<string>, descending = false): TableRow[] {
  const sites = new Map<string, Device[]>();
  for (const device of devices) {
    const there = sites.get(device.siteId);
    if (there) there.push(device);
    else sites.set(device.siteId, [device]);
  }
  const sign = descending ? -1 : 1;
  return [...sites].sort(([a], [b]) => sign * names.compare(a, b)).flatMap(([site, there]) => {
    const counts: PresenceCounts = { online: 0, stale: 0, offline: 0, unknown: 0 };
    for (const device of there) ++counts[device.status];
    const row: SiteRow = { site, counts, size: there.length, closed: closed.has(site) };
    return row.closed ? [row] : [row, ...there];
  });
}
