// events.ts: what a stream carries, as the wire contract writes it.

export type FieldValue = number | boolean | string;
export type Severity = 'info' | 'warning' | 'critical';
export type Presence = 'unknown' | 'online' | 'stale' | 'offline';
export type AlertState =
  | 'firing' | 'updated' | 'recovering' | 'resolved' | 'acknowledged' | 'unacknowledged' | 'stale';

export interface TelemetryData {
  deviceId: string;
  fields: Record<string, FieldValue>;
  tags?: Record<string, string>;
  conflated?: number;
}

export interface AlertData {
  alertId: string;
  ruleId: string;
  ruleName: string;
  deviceId: string;
  state: AlertState;
  severity: Severity;
  message: string;
  field: string;
  value: number;
  threshold: number;
  startedAt: string;
  endedAt?: string;
  ack?: unknown;
}

export interface DeviceStatusData {
  deviceId: string;
  status: Presence;
  reason: string;
  lastSeen: string | null;
  devices?: number;  // of a gateway: how many behind it went with it, or may come back
}

export interface SystemData {
  kind: string;
  [key: string]: unknown;
}

interface LogEvent<Type extends string, Data> {
  id: string;
  ts: string;
  topic: string;
  type: Type;
  data: Data;
  snapshot?: true;  // sent before live begins: what was already so at the cursor
}

export type TelemetryEvent = LogEvent<'telemetry', TelemetryData>;
export type AlertEvent = LogEvent<'alert', AlertData>;
export type DeviceStatusEvent = LogEvent<'device_status', DeviceStatusData>;
export type SystemEvent = LogEvent<'system', SystemData>;
export type StreamEvent = TelemetryEvent | AlertEvent | DeviceStatusEvent | SystemEvent;

// What the server says about the stream itself: hello, heartbeat, snapshot, gap, draining and the like. Not in the log.
export interface SystemBlock {
  ts: string;
  type: 'system';
  data: SystemData;
}

export interface Gap {
  from: string | null;
  to: string | null;
  reason: string;     // trimmed, unknown, too_many, slow
  backfill?: string;  // where to read what is missing
}

export type Message = { event: StreamEvent } | { block: SystemBlock };

export const kEventTypes: readonly string[] = ['telemetry', 'alert', 'device_status', 'system'];

const isText = (value: unknown): value is string => typeof value === 'string';
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

// The data of one SSE message. Undefined when it is not what the contract says.
export function parseMessage(text: string): Message | undefined {
  try {
    return checkMessage(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export function checkMessage(json: unknown): Message | undefined {
  if (!isObject(json)) return undefined;
  const { id, ts, topic, type, data } = json;
  if (!kEventTypes.includes(type as string) || !isText(ts) || !isObject(data)) return undefined;
  if (!isText(type === 'system' ? data.kind : data.deviceId)) return undefined;
  if (!isText(topic)) return type === 'system' ? { block: json as unknown as SystemBlock } : undefined;
  const whole = type === 'telemetry' ? isObject(data.fields) : type !== 'alert' || isText(data.alertId);
  return whole && isText(id) ? { event: json as unknown as StreamEvent } : undefined;
}
