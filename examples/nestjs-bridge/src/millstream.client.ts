import { Injectable } from '@nestjs/common';
import type { StreamEvent } from './stream.service.js';

/** The other way in: HTTP, where an answer in the 200s means that it is on the disk. */
@Injectable()
export class MillstreamClient {
  private readonly url = process.env.MILLSTREAM_URL ?? 'http://127.0.0.1:8080';
  private readonly key = process.env.MILLSTREAM_KEY; // role ingest and publish; not needed in development mode

  ingest(point: { siteId: string; deviceId: string; fields: Record<string, number> }) {
    return this.post('/api/ingest', point);
  }

  publish(event: Pick<StreamEvent, 'topic' | 'type' | 'data'>) {
    return this.post('/api/events', event);
  }

  private async post(path: string, body: unknown): Promise<string> {
    const headers: Record<string, string> = { 'Content-Type': 'application/json' };
    if (this.key) headers.Authorization = `Bearer ${this.key}`;
    const response = await fetch(this.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    return `${response.status} ${await response.text()}`;
  }
}
