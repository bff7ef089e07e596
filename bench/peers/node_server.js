'use strict';
// The least an SSE server on Node can be: node:http, one array of viewers, the frame made once for all of them.
// No log, no rights, no resume, no care for slow readers.

const http = require('node:http');
const { telemetry, topicMatches } = require('./event.js');

const viewers = new Set();

function publish(body) {
  const event = telemetry(body);
  const frame = Buffer.from(`id: ${event.id}\nevent: telemetry\ndata: ${JSON.stringify(event)}\n\n`);
  for (const viewer of viewers) {
    if (viewer.topics.some((wanted) => topicMatches(wanted, event.topic))) viewer.response.write(frame);
  }
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (request.method === 'GET') {
    const viewer = { response, topics: (url.searchParams.get('topics') ?? 'account:demo/*').split(',') };
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    response.write('event: system\ndata: {"kind":"hello"}\n\n');
    viewers.add(viewer);
    request.on('close', () => viewers.delete(viewer));
    return;
  }
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    publish(JSON.parse(Buffer.concat(parts)));
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end('{"accepted":1,"rejected":[]}');
  });
});
server.keepAliveTimeout = 0;
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
