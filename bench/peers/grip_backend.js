'use strict';
// What stands behind pushpin: it holds every GET open on the channel "bench" and says hello.

const http = require('node:http');

http
  .createServer((request, response) => {
    response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Grip-Hold': 'stream',
      'Grip-Channel': 'bench',
    });
    response.end('event: system\ndata: {"kind":"hello"}\n\n');
  })
  .listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
