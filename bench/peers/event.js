'use strict';
// What every Node peer makes of one posted body: an event as Millstream sends it, about 250 bytes on the wire.

let lastMs = 0;
let seq = 0;

function nextId() {
  const ms = Math.max(Date.now(), lastMs);
  seq = ms > lastMs ? 0 : seq + 1;
  lastMs = ms;
  return `${ms}-${seq}`;
}

exports.telemetry = (body) => ({
  id: nextId(),
  ts: new Date(lastMs).toISOString(),
  topic: `account:demo/site:${body.siteId}/device:${body.deviceId}`,
  type: 'telemetry',
  data: body,
});

exports.topicMatches = (wanted, topic) =>
  wanted === topic || (wanted.endsWith('*') && topic.startsWith(wanted.slice(0, -1)));
