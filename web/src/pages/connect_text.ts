// connect_text.ts: every word of the connect page.

import type { Way } from '../store/snippets.ts';

export const words = {
  title: 'Connect',
  intro: 'Copy the lines into a device or a program. They run as they stand, and its values appear here at once.',
  ways: { curl: 'curl', telegraf: 'Telegraf', python: 'Python', javascript: 'JavaScript', arduino: 'Arduino, ESP32', mqtt: 'MQTT' } satisfies Record<Way, string>,
  waysLabel: 'Ways to connect',
  loopback: 'This address is good on this computer only. Open this page by the address that others reach, and the lines have that.',
  device: 'Device',
  deviceHint: 'A name of your choice',
  badName: '1 to 64 of A-Z a-z 0-9 . _ -',

  snippets: {
    command: 'In any shell:',
    telegraf: 'In telegraf.conf, then restart Telegraf:',
    python: 'Python 3, with nothing to install:',
    node: 'Node.js 18 or later, with nothing to install:',
    arduino: 'A sketch for the ESP32. Fill in the network:',
    feed: 'Millstream reads your broker. In its configuration, then restart it:',
    mosquitto: 'A device, or you by hand, publishes to the broker:',
  },
  mqttNote: 'The broker asks for its own user and password; a key of Millstream is not needed. The names in the topic become site and device.',

  key: 'Key',
  notNeeded: 'This server runs in development mode: no key is needed, and the lines carry none.',
  variable: 'The lines read the key from the variable MILLSTREAM_KEY.',
  placeholder: 'Put a key in the place of YOUR KEY.',
  onlyAdmins: (roles: string) => `Only admins can create keys; you have ${roles}. Ask one for a key with the role ingest.`,
  noRoles: 'no role',
  create: { ingest: 'Create a key for these lines', viewer: 'Create a key for watching' },
  creating: 'Creating…',
  keyName: (way: string) => `connect ${way}`,
  created: {
    ingest: 'The lines above carry this key. It can only send points. It is shown this once: keep it, and give it to nobody else.',
    viewer: 'The lines carry this key. It can only read. It is shown this once: keep it, and give it to nobody else.',
  },
  manage: 'Keys are listed, replaced and revoked under',
  users: 'Users & keys',
  unreachable: 'The server cannot be reached. No key was made, as far as is known here.',

  arrived: 'Here it is:',
  lastSeen: (span: string) => `last seen ${span} ago`,
  waiting: (device: string) => `${device} has not been heard yet.`,

  watch: 'Watch from elsewhere',
  watchShell: 'In a shell, as it happens:',
  watchPage: 'In a page of this origin, with the cookie of whoever is signed in:',
  watchTicket: 'In any other page: a ticket, which a server of yours asks for:',
  watchUrl: 'n8n (SSE Trigger), or whatever takes a URL alone:',
  urlSecured: 'The SSE Trigger of n8n sends no key, and a key is never taken from a URL. Let a proxy of yours add the header Authorization: Bearer …',
} as const;
