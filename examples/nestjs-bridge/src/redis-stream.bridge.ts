import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Redis } from 'ioredis';
import { type StreamEvent, StreamService } from './stream.service.js';

/** As it was: one channel that every instance publishes to and reads. Millstream reads it too. */
@Injectable()
export class RedisStreamBridge implements OnModuleInit, OnModuleDestroy {
  private pub!: Redis;
  private sub!: Redis;

  constructor(private readonly streamService: StreamService) {}

  async onModuleInit() {
    const url = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379';
    this.pub = new Redis(url);
    this.sub = new Redis(url);

    await this.sub.subscribe('stream-events');
    this.sub.on('message', (_channel, msg) => {
      const evt = JSON.parse(msg) as StreamEvent;
      // Re-inject into local subject for SSE subscribers
      this.streamService.publish({ id: evt.id, type: evt.type, topic: evt.topic, data: evt.data });
    });
  }

  async onModuleDestroy() {
    await this.sub?.quit();
    await this.pub?.quit();
  }

  /** How many heard it: this process, other instances, Millstream. */
  async publish(evt: StreamEvent): Promise<number> {
    return this.pub.publish('stream-events', JSON.stringify(evt));
  }
}
