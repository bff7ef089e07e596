import { Module } from '@nestjs/common';
import { IngestService } from './ingest.service.js';
import { MillstreamClient } from './millstream.client.js';
import { RedisStreamBridge } from './redis-stream.bridge.js';
import { StreamService } from './stream.service.js';

@Module({ providers: [StreamService, RedisStreamBridge, MillstreamClient, IngestService] })
export class AppModule {}
