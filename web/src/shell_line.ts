// shell_line.ts: command lines that run as they stand in any POSIX shell.

import { queryText, type Query } from './api.ts';

export function shellQuote(text: string): string { return `'${text.replaceAll("'", "'\\''")}'`; }

// `key`: in the line itself; true: of the variable MILLSTREAM_KEY; false: none is needed.
export type LineKey = string | boolean;

export function bearerOption(key: LineKey): string[] {
  if (key === false) return [];
  return [key === true ? '-H "Authorization: Bearer $MILLSTREAM_KEY"' : `-H ${shellQuote(`Authorization: Bearer ${key}`)}`];
}

export function publishLine(baseUrl: string, key: LineKey, device = 'demo-1'): string {
  return [
    `curl -X POST ${shellQuote(`${baseUrl}/api/ingest`)}`,
    ...bearerOption(key),
    "-H 'Content-Type: application/json'",
    `-d ${shellQuote(JSON.stringify({ deviceId: device, fields: { T1: 21.5 } }))}`,
  ].join(' \\\n  ');
}

export function streamLine(baseUrl: string, key: LineKey, query: Query = {}, lastEventId?: string): string {
  // A topic's signs are allowed in a query as they are, and are easier to read so.
  const said = queryText(query).replaceAll('%3A', ':').replaceAll('%2F', '/').replaceAll('%2C', ',');
  return [
    `curl -N ${shellQuote(`${baseUrl}/api/stream${said}`)}`,
    ...bearerOption(key),
    ...(lastEventId ? [`-H ${shellQuote(`Last-Event-ID: ${lastEventId}`)}`] : []),
  ].join(' \\\n  ');
}
