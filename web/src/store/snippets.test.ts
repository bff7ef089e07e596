import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { kWays, plainUrl, snippets, ticketLines, watchLine, type Target } from './snippets.ts';

const target: Target = { baseUrl: "https://host/o'brien", account: 'acme', device: 'pump-1', key: 'ms_abc_def' };
const lines = (way: (typeof kWays)[number], more: Partial<Target> = {}) => snippets(way, { ...target, ...more }).map((each) => each.lines).join('\n');

describe('snippets', () => {
  it.each(kWays.filter((way) => way !== 'mqtt'))('hold the address, the device and the key: %s', (way) => {
    for (const word of ['https://host/o', 'pump-1', 'ms_abc_def']) expect(lines(way)).toContain(word);
    expect(lines(way, { key: false })).not.toMatch(/ms_|MILLSTREAM_KEY|Authorization|password =/);
    expect(lines(way, { key: true })).toMatch(way === 'arduino' ? /YOUR KEY/ : /MILLSTREAM_KEY/);
  });
  it('are what their languages read', () => {
    const keys = ['ms_abc_def', true, false];
    const shell = [...keys.map((key) => lines('curl', { key })), snippets('mqtt', target)[1]!.lines, watchLine(target)];
    execFileSync('sh', ['-n', '-c', shell.join('\n')]);
    const python = JSON.stringify(keys.map((key) => lines('python', { key })));
    execFileSync('python3', ['-c', 'import ast, json, sys\nfor each in json.load(sys.stdin): ast.parse(each)'], { input: python });
    const modules = keys.flatMap((key) => [lines('javascript', { key }), ticketLines({ ...target, key })]);
    execFileSync(process.execPath, ['--input-type=module', '--check'], { input: modules.map((each) => `{\n${each}\n}`).join('\n') });
  }, 30_000);
  it('of a sketch speak HTTP or HTTPS as the server does, and close what they open', () => {
    expect(lines('arduino')).toContain('WiFiClientSecure');
    const plain = lines('arduino', { baseUrl: 'http://10.0.0.2:8080' });
    expect(plain).not.toContain('Secure');
    expect(plain).toContain('String("{\\"deviceId\\":\\"pump-1\\",\\"fields\\":{\\"T1\\":")');
    for (const [open, close] of ['()', '{}']) expect(plain.split(open!).length).toBe(plain.split(close!).length);
  });
  it('of a broker name the account, and tell no key', () => {
    expect(lines('mqtt')).toContain('account = "acme"');
    expect(lines('mqtt')).not.toContain('ms_');
    expect(plainUrl(target)).toBe("https://host/o'brien/api/stream?unnamed=1");
  });
});
