import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { MillstreamClient } from './millstream.client.js';
import { RedisStreamBridge } from './redis-stream.bridge.js';
import type { StreamEventType } from './stream.service.js';

const accountId = process.env.ACCOUNT_ID ?? 'demo';
const siteId = '1';
const limit = 70;

/** Readings of two devices, by timer: one tells of itself through the channel, the other through HTTP. */
@Injectable()
export class IngestService implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger('Ingest');
  private timer?: NodeJS.Timeout;
  private round = 0;

  constructor(
    private readonly bridge: RedisStreamBridge,
    private readonly millstream: MillstreamClient,
  ) {}

  onModuleInit() {
    this.timer = setInterval(() => {
      this.tell().catch((error: Error) => this.logger.error(error.message));
    }, Number(process.env.INTERVAL_MS ?? 1000));
  }

  onModuleDestroy() {
    clearInterval(this.timer);
  }

  private async tell() {
    const T1 = 60 + 20 * Math.abs(Math.sin(++this.round));
    await this.tellByRedis('elink-99', { T1, round: this.round });
    await this.tellByHttp('elink-100', { T1, round: this.round });
  }

  private async tellByRedis(deviceId: string, fields: { T1: number; round: number }) {
    const publish = async (type: StreamEventType, data: Record<string, unknown>) => {
      const heard = await this.bridge.publish({
        id: `${Date.now()}-${Math.random().toString(16).slice(2)}`,
        ts: new Date().toISOString(),
        topic: `account:${accountId}/site:${siteId}/device:${deviceId}`,
        type,
        data,
      });
      this.logger.log(`${type} of ${deviceId} by Redis: heard by ${heard}`);
    };
    await publish('telemetry', { deviceId, fields });
    if (fields.T1 > limit) {
      await publish('alert', { ruleId: 'hot', severity: 'warning', message: `T1 above ${limit}`, fields });
    }
  }

  private async tellByHttp(deviceId: string, fields: { T1: number; round: number }) {
    const stored = await this.millstream.ingest({ siteId, deviceId, fields });
    this.logger.log(`telemetry of ${deviceId} by HTTP: ${stored}`);
    if (fields.T1 <= limit) return;
    const published = await this.millstream.publish({
      topic: `account:${accountId}/site:${siteId}/device:${deviceId}`,
      type: 'alert',
      data: {
        alertId: `nest:hot.${siteId}.${deviceId}`,
        ruleId: 'nest:hot',
        ruleName: 'hot',
        deviceId,
        state: 'firing',
        severity: 'warning',
        message: `T1 above ${limit}`,
        field: 'T1',
        value: fields.T1,
        threshold: limit,
        startedAt: new Date().toISOString(),
      },
    });
    this.logger.log(`alert of ${deviceId} by HTTP: ${published}`);
  }
}
