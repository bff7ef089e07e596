// stream_line.ts: following a stream from a shell.

import { queryText, type Query } from './api.ts';
import { bearerOption, shellQuote, type LineKey } from './shell_line.ts';

export function streamLine(baseUrl: string, key: LineKey, query: Query = {}, lastEventId?: string): string {
  // A topic's signs are allowed in a query as they are, and are easier to read so.
  const said = queryText(query).replaceAll('%3A', ':').replaceAll('%2F', '/').replaceAll('%2C', ',');
  return [
    `curl -N ${shellQuote(`${baseUrl}/api/stream${said}`)}`,
    ...bearerOption(key),
    ...(lastEventId ? [`-H ${shellQuote(`Last-Event-ID: ${lastEventId}`)}`] : []),
  ].join(' \\\n  ');
}
