// query.ts: what a client may be asked for, and how the server is asked.

import type { EventSourceConstructor } from './transport.ts';
import type { OpenPast, Share } from './seams.ts';

export interface ClientOptions {
  /** "https://host/prefix", without a last slash; default: this origin */
  baseUrl?: string;
  /** in a page, by way of tickets; in Node, in a header. Without it and without tickets: the browser's cookies */
  token?: string | undefined;
  /** A ticket for each connection, for an EventSource that can send no token. true: asked for at /api/stream-token with the
   *  token or the cookies. A function gets one its own way; an error with `status` 401 or 403 ends in "signin". */
  ticket?: true | (() => string | Promise<string>);
  topics?: string[];
  siteId?: string;
  deviceId?: string;
  types?: string[];
  fields?: string[];
  minSeverity?: string;
  mode?: 'all' | 'latest';
  /** with mode latest */
  intervalMs?: number;
  since?: string;
  snapshot?: 'latest' | 'none';
  /** resume a stream of an earlier page */
  lastEventId?: string;
  /** past({…}): history before live, and gaps are read; without it gaps are only reported */
  past?: OpenPast;
  /** share: one stream for all tabs */
  share?: Share | undefined;
  /** tells apart what tabs may not share: who is signed in by cookie */
  shareKey?: string;
  /** cookies to another origin */
  withCredentials?: boolean;
  /** silence longer than this is a lost connection; default 60 s */
  watchdogMs?: number;
  /** default 1 s */
  backoffBaseMs?: number;
  /** default 30 s */
  backoffCapMs?: number;
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
