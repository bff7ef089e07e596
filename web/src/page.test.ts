// page.test.ts: the small parts: the address, formats, the rate, the onboarding command.

import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { asNumber, formatNumber, formatSpan, formatValue, parseTime } from './format.ts';
import { Place } from './place.ts';
import { publishLine } from './shell_line.ts';
import { Rate } from './store/rate.ts';
import { streamLine } from './stream_line.ts';
import { parseDeviceTopic } from './topic.ts';

describe('the address', () => {
  it('names page, device, site, field and range, and reads back the same', () => {
    const values = { device: 'elink-99', site: 'roof', field: 'cpu usage%', range: '1h' };
    const place = new Place(new Place('').href('device', values));
    expect(place.page.value).toBe('device');
    expect(place.range.value).toBe('1h');
    for (const [name, value] of Object.entries(values)) expect(place.get(name)).toBe(value);
  });
  it('leaves out what is usual, drops what the next page does not know, and leaves in what is not ours', () => {
    const moves: [string, string][] = [];
    const place = new Place('?kiosk=1&device=d&field=x', (search, how) => moves.push([search, how]));
    place.set({ field: undefined, range: '15m' });
    place.set({ device: 'd' });  // nothing new
    place.go('alerts', { severity: 'critical' });
    place.go('overview');
    expect(moves).toEqual([
      ['?kiosk=1&device=d', 'replace'], ['?kiosk=1&page=alerts&severity=critical', 'push'], ['?kiosk=1', 'push'],
    ]);
    place.returned('?page=rules');
    expect(place.page.value).toBe('rules');
  });
  it.each(['?range=2h&page=toString', '?range=toString', '?range=&page=', ''])('falls back to what is usual for %j', (search) => {
    const place = new Place(search);
    expect([place.page.value, place.range.value, place.get('device')]).toEqual(['overview', '15m', undefined]);
  });
});

describe('formats', () => {
  it('shows numbers short and without grouping', () => {
    expect([247, 21.5, 0.1 + 0.2, -40, 123456.7891, 0, 1e12, 1.5e-7].map(formatNumber))
      .toEqual(['247', '21.5', '0.3', '-40', '123456.789', '0', '1E12', '1.5E-7']);
    expect([true, 'auto', 3].map(formatValue)).toEqual(['true', 'auto', '3']);
  });
  it('shows a span in its largest whole unit, never below zero', () => {
    expect([-500, 0, 59_400, 60_000, 3_599_000, 3_600_000, 86_399_000, 172_800_000].map(formatSpan))
      .toEqual(['0 s', '0 s', '59 s', '1 min', '59 min', '1 h', '23 h', '2 d']);
  });
  it('sees a boolean as 0 or 1 and no number in a string', () => {
    expect([3, true, false, '4'].map(asNumber)).toEqual([3, 1, 0, undefined]);
  });
  it('has no time for what is none', () => {
    expect([null, undefined, '', 'soon'].map(parseTime)).toEqual([undefined, undefined, undefined, undefined]);
    expect(parseTime('2026-01-27T12:34:56.789Z')).toBe(1769517296789);
  });
  it('takes only topics that end at a device for a device\'s', () => {
    expect(parseDeviceTopic('account:1/site:2/device:a.b-c')).toEqual({ account: '1', site: '2', device: 'a.b-c' });
    for (const topic of ['account:1', 'account:1/site:2', 'account:1/site:2/device:', 'x', 'account:1/site:2/device:a/b']) {
      expect(parseDeviceTopic(topic)).toBeUndefined();
    }
  });
});

describe('Rate', () => {
  it('is the mean over the last five whole seconds', () => {
    const rate = new Rate();
    for (let ms = 0; ms < 5_000; ms += 100) rate.add(ms);
    expect(rate.perSecond(5_000)).toBe(10);
    expect(rate.perSecond(7_500)).toBe(6);
    expect(rate.perSecond(60_000)).toBe(0);
  });
});

describe('the publish command', () => {
  it('passes through a shell as the arguments it should be', () => {
    const command = publishLine("https://host/o'brien", true).replace(/^curl/, "printf '%s\\n'");
    const args = execFileSync('sh', ['-c', command], { env: { MILLSTREAM_KEY: 'k' } }).toString().trimEnd().split('\n');
    expect(args).toEqual([
      '-X', 'POST', "https://host/o'brien/api/ingest", '-H', 'Authorization: Bearer k',
      '-H', 'Content-Type: application/json', '-d', '{"deviceId":"demo-1","fields":{"T1":21.5}}',
    ]);
  });
  it('follows a stream with the topics as one reads them', () => {
    const line = streamLine('https://host', 'ms_k', { topics: 'account:a/site:*,account:b', types: 'a b&' }, '5-0').replace(/^curl/, "printf '%s\\n'");
    expect(execFileSync('sh', ['-c', line]).toString().trimEnd().split('\n')).toEqual([
      '-N', 'https://host/api/stream?topics=account:a/site:*,account:b&types=a+b%26', '-H', 'Authorization: Bearer ms_k', '-H', 'Last-Event-ID: 5-0',
    ]);
  });
});
