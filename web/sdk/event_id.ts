// event_id.ts: the one id and the one order of events: "<epoch_ms>-<seq>".

export interface EventId {
  readonly ms: number;
  readonly seq: number;
}

export const kZeroId: EventId = { ms: 0, seq: 0 };

// Only the exact form, as the server writes it; anything else is undefined.
export function parseEventId(text: unknown): EventId | undefined {
  if (typeof text !== 'string') return undefined;
  const match = /^(0|[1-9]\d{0,12})-(0|[1-9]\d{0,6})$/.exec(text);
  return match ? { ms: Number(match[1]), seq: Number(match[2]) } : undefined;
}

export function eventIdText({ ms, seq }: EventId): string { return `${ms}-${seq}`; }

// Negative, zero or positive, as for Array.sort. Texts do not compare: "9-1" is before "10-0".
export function compareEventIds(a: EventId, b: EventId): number {
  return a.ms - b.ms || a.seq - b.seq;
}
