// devices.ts: the newest of every device, however it arrived: snapshot, REST answer or live event.
//
// Rule     every value carries the id it is from and the newest id wins, so the order of arrival does not matter.

import {
  compareEventIds, kZeroId, parseEventId,
  type DeviceStatusEvent, type EventId, type FieldValue, type Presence, type TelemetryEvent,
} from '../../sdk/index.ts';
import type { DevicesAnswer } from '../api.ts';
import { asNumber, parseTime } from '../format.ts';
import { parseDeviceTopic } from '../topic.ts';
import { Recent } from './recent.ts';

interface Cell {
  value: FieldValue;
  at: EventId;
  tMs?: number | undefined;  // of the event it came with; undefined: it came with the whole list, which does not say
  unit?: string;
  recent?: Recent;
}

const kUnitTag = 'unit.';  // a tag "unit.T1" says the unit of T1

export class Device {
  status: Presence = 'unknown';
  reason = '';
  statusAt: EventId = kZeroId;
  lastSeenMs: number | undefined;
  readonly cells = new Map<string, Cell>();

  constructor(readonly topic: string, readonly deviceId: string, readonly siteId: string) {}

  value(field: string): FieldValue | undefined { return this.cells.get(field)?.value; }
  // The number to draw small: `wanted` where there is one of that name, else the first.
  leadField(wanted?: string): string | undefined {
    const cell = wanted === undefined ? undefined : this.cells.get(wanted);
    if (cell && asNumber(cell.value) !== undefined) return wanted;
    for (const [name, { value }] of this.cells) if (typeof value === 'number') return name;
    return undefined;
  }

  putFields(fields: Record<string, FieldValue>, at: EventId, tMs?: number): void {
    for (const name of Object.keys(fields)) {
      const value = fields[name]!;
      const cell = this.cells.get(name);
      if (!cell) this.cells.set(name, { value, at, tMs });
      else if (compareEventIds(at, cell.at) >= 0) {
        if (tMs !== undefined || cell.value !== value) cell.tMs = tMs;
        cell.value = value;
        cell.at = at;
      }
      const point = cell?.recent && tMs !== undefined ? asNumber(value) : undefined;
      if (point !== undefined) cell!.recent!.add(point);
    }
  }
  putUnits(tags: Record<string, string> | undefined): void {
    if (!tags) return;
    for (const name of Object.keys(tags)) {
      const cell = name.startsWith(kUnitTag) ? this.cells.get(name.slice(kUnitTag.length)) : undefined;
      if (cell) cell.unit = tags[name]!;
    }
  }
  // Begins to remember the numbers of a field, for a small drawing.
  remember(field: string | undefined): void {
    const cell = field === undefined ? undefined : this.cells.get(field);
    if (!cell || cell.recent) return;
    cell.recent = new Recent();
    cell.recent.add(asNumber(cell.value)!);
  }
  putStatus(status: Presence, reason: string, at: EventId): void {
    if (compareEventIds(at, this.statusAt) < 0) return;
    this.status = status;
    this.reason = reason;
    this.statusAt = at;
  }
  seen(ms: number | undefined): void {
    if (ms !== undefined && ms > (this.lastSeenMs ?? 0)) this.lastSeenMs = ms;
  }
  newerThan(asOf: EventId): boolean {
    if (compareEventIds(this.statusAt, asOf) > 0) return true;
    for (const cell of this.cells.values()) if (compareEventIds(cell.at, asOf) > 0) return true;
    return false;
  }
}

export type PresenceCounts = Record<Presence, number>;

export class Devices {
  readonly byTopic = new Map<string, Device>();
  // Grows whenever a device comes, goes or changes its status: what a sorted, filtered view depends on.
  shape = 0;

  // `wanted`: the field to remember of every device that has it.
  constructor(private readonly wanted: () => string | undefined = () => undefined) {}

  get leadField(): string | undefined { return this.wanted(); }

  get size(): number { return this.byTopic.size; }

  telemetry(event: TelemetryEvent): Device | undefined {
    const device = this.ensure(event.topic);
    if (!device) return undefined;
    const at = parseEventId(event.id) ?? kZeroId;
    const tMs = parseTime(event.ts);
    device.putFields(event.data.fields, at, event.snapshot ? undefined : tMs);
    device.putUnits(event.data.tags);
    device.remember(device.leadField(this.leadField));
    device.seen(at.ms || tMs);
    return device;
  }

  status(event: DeviceStatusEvent): void {
    const device = this.ensure(event.topic);
    if (!device) return;
    const before = device.status;
    device.putStatus(event.data.status, event.data.reason, parseEventId(event.id) ?? kZeroId);
    device.seen(parseTime(event.data.lastSeen));
    if (device.status !== before) ++this.shape;
  }

  // The whole list as the server had it at `asOf`: what live brought after that stays, the rest is replaced.
  replace(answer: DevicesAnswer): void {
    const asOf = parseEventId(answer.asOf) ?? kZeroId;
    const named = new Set<string>();
    for (const entry of answer.devices) {
      const device = this.ensure(entry.topic);
      if (!device) continue;
      named.add(entry.topic);
      device.putFields(entry.fields, asOf);
      device.putUnits(entry.tags);
      device.putStatus(entry.status, entry.reason, asOf);
      device.seen(parseTime(entry.lastSeen));
    }
    for (const device of this.byTopic.values()) {
      if (!named.has(device.topic) && !device.newerThan(asOf)) this.byTopic.delete(device.topic);
    }
    ++this.shape;
  }

  clear(): void {
    this.byTopic.clear();
    ++this.shape;
  }

  // By name; with `site` only there, else the first of that name.
  find(deviceId: string, site?: string): Device | undefined {
    for (const device of this.byTopic.values()) {
      if (device.deviceId === deviceId && (!site || device.siteId === site)) return device;
    }
    return undefined;
  }

  counts(): PresenceCounts {
    const counts: PresenceCounts = { online: 0, stale: 0, offline: 0, unknown: 0 };
    for (const device of this.byTopic.values()) ++counts[device.status];
    return counts;
  }

  private ensure(topic: string): Device | undefined {
    const known = this.byTopic.get(topic);
    if (known) return known;
    const names = parseDeviceTopic(topic);
    if (!names) return undefined;
    const device = new Device(topic, names.device, names.site);
    this.byTopic.set(topic, device);
    ++this.shape;
    return device;
  }
}
