// Follows a server from Node: node node.mjs [http://127.0.0.1:8080] [topics]; MILLSTREAM_TOKEN: the credential.
import { MillstreamClient, past } from '@millstream/client';

const [baseUrl = 'http://127.0.0.1:8080', topics] = process.argv.slice(2);
const client = new MillstreamClient({
  baseUrl,
  ...(topics ? { topics: [topics] } : {}),
  ...(process.env.MILLSTREAM_TOKEN ? { token: process.env.MILLSTREAM_TOKEN } : {}),
  past: past({ lastMs: 60_000 }),  // the last minute first, then live; nothing is missing in between
});
client.onStatus(({ state }) => console.log(`# ${state}`));
client.onGap(({ from, to, reason }) => console.log(`# lost: ${from} to ${to}, ${reason}`));
client.onEvent((event) => {
  if (event.type === 'telemetry') console.log(event.id, event.topic, JSON.stringify(event.data.fields));
  else if (event.type === 'alert') console.log(event.id, event.topic, event.data.severity, event.data.message);
});
client.connect();
process.on('SIGINT', () => client.close());
