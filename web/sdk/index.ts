// index.ts: the package, for Node and everywhere.

import { StreamClient } from './client.ts';
import { openFetch } from './fetch_transport.ts';
import type { ClientOptions } from './query.ts';

export class MillstreamClient extends StreamClient {
  constructor(options?: ClientOptions) { super(options, openFetch); }
}

export * from './names.ts';
