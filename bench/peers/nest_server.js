'use strict';
// The design Millstream replaces: a NestJS application, one rxjs Subject as the bus, @Sse() with a filter, a map and a
// heartbeat of 25 s per viewer. Kinder to it than a real application is: nothing is stored, no rule is evaluated, no
// token is checked, topics are compared as text, and there is no Redis between publisher and viewer.
// Plain JavaScript: decorators are called as the functions they are.

require('reflect-metadata');
const { Body, Controller, HttpCode, Module, Post, Query, Sse } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { Subject, filter, interval, map, merge, of } = require('rxjs');
const { telemetry, topicMatches } = require('./event.js');

const kHeartbeatMs = 25_000;
const subject = new Subject();

class StreamController {
  stream(topics) {
    const wanted = (topics ?? 'account:demo/*').split(',');
    return merge(
      of({ type: 'system', data: { kind: 'hello' } }),
      subject.pipe(
        filter((event) => wanted.some((one) => topicMatches(one, event.topic))),
        map((event) => ({ id: event.id, type: event.type, data: event })),
      ),
      interval(kHeartbeatMs).pipe(map(() => ({ type: 'system', data: { kind: 'heartbeat' } }))),
    );
  }

  ingest(body) {
    subject.next(telemetry(body));
    return { accepted: 1, rejected: [] };
  }
}

function decorate(target, name, decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(target, name);
  for (const decorator of decorators) decorator(target, name, descriptor);
}
decorate(StreamController.prototype, 'stream', [Sse('stream')]);
Query('topics')(StreamController.prototype, 'stream', 0);
decorate(StreamController.prototype, 'ingest', [Post('ingest'), HttpCode(200)]);
Body()(StreamController.prototype, 'ingest', 0);
Controller('api')(StreamController);

class Application {}
Module({ controllers: [StreamController] })(Application);

async function main() {
  const app = await NestFactory.create(Application, { logger: ['error', 'warn'] });
  await app.init();
  const server = app.getHttpServer();
  server.keepAliveTimeout = 0;
  server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
}

main();
