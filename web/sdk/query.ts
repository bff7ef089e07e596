// query.ts: what a client may be asked for, and how the server is asked.

import type { EventSourceConstructor } from './transport.ts';
import type { OpenPast, Share } from './seams.ts';

export interface ClientOptions {
  baseUrl?: string;               // "https://host/prefix", without a last slash; default: this origin
  token?: string;                 // sent as Bearer; without it the stream uses EventSource and the browser's cookies
  // A ticket for each connection, for an EventSource that can send no token. true: asked for at /api/stream-token with the
  // token or the cookies. A function gets one its own way; an error with `status` 401 or 403 ends in "signin".
  ticket?: true | (() => string | Promise<string>);
  topics?: string[];
  siteId?: string;
  deviceId?: string;
  types?: string[];
  fields?: string[];
  minSeverity?: string;
  mode?: 'all' | 'latest';
  intervalMs?: number;            // with mode latest
  since?: string;
  snapshot?: 'latest' | 'none';
  lastEventId?: string;           // resume a stream of an earlier page
  past?: OpenPast;                // past({…}): history before live, and gaps are read; without it gaps are only reported
  share?: Share;                  // share: one stream for all tabs
  shareKey?: string;              // tells apart what tabs may not share: who is signed in by cookie
  withCredentials?: boolean;      // cookies to another origin
  watchdogMs?: number;            // silence longer than this is a lost connection; default 60 s
  backoffBaseMs?: number;         // default 1 s
  backoffCapMs?: number;          // default 30 s
  eventSource?: EventSourceConstructor;
  fetch?: typeof fetch;
  random?: () => number;
}

// "?name=value&…", or nothing; lists with commas. What is undefined or empty is left out.
export function queryText(values: Record<string, unknown>): string {
  const query = new URLSearchParams();
  for (const name in values) {
    const text = String(values[name] ?? '');
    if (text) query.set(name, text);
  }
  const text = String(query);
  return text && `?${text}`;
}

// Which events: the same for the stream, for tickets and for the past.
export function selectors({ topics, siteId, deviceId, types }: ClientOptions): Record<string, unknown> {
  return { topics, siteId, deviceId, types };
}
