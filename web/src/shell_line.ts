// shell_line.ts: command lines that run as they stand in any POSIX shell.

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
