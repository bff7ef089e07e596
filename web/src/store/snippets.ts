// snippets.ts: what to put into a device or a program so that it sends to this server, or follows it. Each is whole: it
// runs as it stands.

import { publishLine, shellQuote } from '../shell_line.ts';
import { streamLine } from '../stream_line.ts';

export const kWays = ['curl', 'telegraf', 'python', 'javascript', 'arduino', 'mqtt'] as const;
export type Way = (typeof kWays)[number];

export interface Target {
  baseUrl: string;
  account: string;
  device: string;
  // The text of a key; true: it is to be filled in, or in the variable MILLSTREAM_KEY; false: none is needed.
  key: string | boolean;
}
export interface Snippet {
  name: 'command' | 'telegraf' | 'python' | 'node' | 'arduino' | 'mosquitto' | 'feed';
  lines: string;
}

// JSON strings are strings of JavaScript, Python, C++ and TOML too.
const quote = (text: string) => JSON.stringify(text);

function telegraf({ baseUrl, device, key }: Target): string {
  return [
    '[[outputs.influxdb]]',
    `  urls = [${quote(baseUrl)}]`,
    '  database = "millstream"',
    ...(key === false ? [] : ['  username = "key"', `  password = ${key === true ? '"${MILLSTREAM_KEY}"' : quote(key)}`]),
    '',
    '[global_tags]',
    `  device = ${quote(device)}    # leave it out, and each host is a device`,
  ].join('\n');
}

function python({ baseUrl, device, key }: Target): string {
  return [
    key === true ? 'import json, os, urllib.request' : 'import json, urllib.request',
    '',
    `point = {"deviceId": ${quote(device)}, "fields": {"T1": 21.5}}`,
    'request = urllib.request.Request(',
    `    ${quote(`${baseUrl}/api/ingest`)}, json.dumps(point).encode(),`,
    '    {"Content-Type": "application/json"' + (key === false ? '' : `, "Authorization": "Bearer " + ${key === true ? 'os.environ["MILLSTREAM_KEY"]' : quote(key)}`) + '})',
    'with urllib.request.urlopen(request, timeout=10) as answer:',
    '    print(answer.read().decode())',
  ].join('\n');
}

function node({ baseUrl, device, key }: Target): string {
  const header = key === false ? '' : `, Authorization: ${key === true ? '`Bearer ${process.env.MILLSTREAM_KEY}`' : quote(`Bearer ${key}`)}`;
  return [
    '// publish.mjs, for Node 18 or later: node publish.mjs',
    `const answer = await fetch(${quote(`${baseUrl}/api/ingest`)}, {`,
    "  method: 'POST',",
    `  headers: { 'Content-Type': 'application/json'${header} },`,
    `  body: JSON.stringify({ deviceId: ${quote(device)}, fields: { T1: 21.5 } }),`,
    '});',
    'console.log(answer.status, await answer.text());',
  ].join('\n');
}

function arduino({ baseUrl, device, key }: Target): string {
  const secure = baseUrl.startsWith('https:');
  return [
    '#include <WiFi.h>          // ESP32',
    '#include <HTTPClient.h>',
    ...(secure ? ['#include <WiFiClientSecure.h>'] : []),
    '',
    ...(secure ? ['WiFiClientSecure client;', ''] : []),
    'void setup() {',
    '  Serial.begin(115200);',
    ...(secure ? ['  client.setInsecure();  // better: client.setCACert(...) with the issuer of the server'] : []),
    '  WiFi.begin("network", "password");',
    '  while (WiFi.status() != WL_CONNECTED) delay(200);',
    '}',
    '',
    'void loop() {',
    '  HTTPClient http;',
    `  http.begin(${secure ? 'client, ' : ''}${quote(`${baseUrl}/api/ingest`)});`,
    '  http.addHeader("Content-Type", "application/json");',
    ...(key === false ? [] : [`  http.addHeader("Authorization", ${quote(`Bearer ${key === true ? 'YOUR KEY' : key}`)});`]),
    `  String point = String(${quote(`{"deviceId":${quote(device)},"fields":{"T1":`)}) + String(analogRead(34)) + "}}";`,
    '  Serial.println(http.POST(point));  // 200: it is on the disk',
    '  http.end();',
    '  delay(5000);',
    '}',
  ].join('\n');
}

function feed({ account }: Target): string {
  return [
    '[[mqtt]]',
    'name = "plant"',
    'url = "mqtt://broker.example"      # or mqtts://',
    `account = ${quote(account)}`,
    'topics = ["plants/{site}/{device}/telemetry"]',
    'status_topics = ["plants/{site}/{device}/status"]',
  ].join('\n');
}

function mosquitto({ device }: Target): string {
  return `mosquitto_pub -h broker.example -q 1 -t ${shellQuote(`plants/default/${device}/telemetry`)} \\\n  -m ${shellQuote('{"T1":21.5}')}`;
}

export function snippets(way: Way, target: Target): Snippet[] {
  switch (way) {
    case 'curl': return [{ name: 'command', lines: publishLine(target.baseUrl, target.key, target.device) }];
    case 'telegraf': return [{ name: 'telegraf', lines: telegraf(target) }];
    case 'python': return [{ name: 'python', lines: python(target) }];
    case 'javascript': return [{ name: 'node', lines: node(target) }];
    case 'arduino': return [{ name: 'arduino', lines: arduino(target) }];
    case 'mqtt': return [{ name: 'feed', lines: feed(target) }, { name: 'mosquitto', lines: mosquitto(target) }];
  }
}

// A page of this origin sends its cookie by itself; where there is none, nothing else is needed either.
export function eventSourceLines({ baseUrl }: Target): string {
  return [
    `const stream = new EventSource(${quote(`${baseUrl}/api/stream?snapshot=latest`)});`,
    "stream.addEventListener('telemetry', (event) => console.log(JSON.parse(event.data)));",
  ].join('\n');
}

export function watchLine({ baseUrl, key }: Target): string { return streamLine(baseUrl, key, { snapshot: 'latest' }); }

// For what takes a URL and nothing else, and only unnamed events.
export function plainUrl({ baseUrl }: Target): string { return `${baseUrl}/api/stream?unnamed=1`; }

// A page elsewhere, or one without a cookie: a ticket, from a server that holds the key.
export function ticketLines({ baseUrl, key }: Target): string {
  return [
    '// On a server that holds the key; the browser gets only the URL, good for one stream',
    `const answer = await fetch(${quote(`${baseUrl}/api/stream-token`)}, {`,
    "  method: 'POST',",
    `  headers: { Authorization: ${typeof key === 'string' ? quote(`Bearer ${key}`) : '`Bearer ${process.env.MILLSTREAM_KEY}`'} },`,
    '});',
    'const { url } = await answer.json();',
  ].join('\n');
}
