// Those who are notified: an HTTP receiver that behaves as a test says, and a small SMTP server that holds its client to
// the protocol. Both listen on loopback and are closed when the test file ends.

import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import { atEnd } from './harness.mjs';

/**
 * behave(request, n): what becomes of the n-th request that came in whole: 'take' (204), a status, {status, headers},
 * 'hang' (no answer), 'reset'. listening: false: connections are refused.
 */
export class HttpReceiver {
  static async start(behave = () => 'take', { port = 0 } = {}) {
    const receiver = new HttpReceiver();
    receiver.behave = behave;
    receiver.server = http.createServer((request, response) => receiver.#receive(request, response));
    receiver.server.on('connection', (socket) => {
      ++receiver.connections;
      receiver.sockets.add(socket);
      socket.on('close', () => receiver.sockets.delete(socket));
      socket.on('error', () => {});
    });
    await new Promise((resolve) => receiver.server.listen(port, '127.0.0.1', resolve));
    receiver.port = receiver.server.address().port;
    atEnd(() => receiver.close());
    return receiver;
  }

  requests = []; // {path, headers, text, body, answered}
  connections = 0;
  sockets = new Set();

  /** Bodies that were taken, in order. */
  get taken() {
    return this.requests.filter((r) => r.answered === 'take').map((r) => r.body);
  }

  #receive(request, response) {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const seen = { path: request.url, headers: request.headers, text, body: text && JSON.parse(text) };
      this.requests.push(seen);
      seen.answered = this.behave(seen, this.requests.length - 1);
      const answer = seen.answered;
      if (answer === 'hang') return;
      if (answer === 'reset') return request.socket.resetAndDestroy();
      if (answer === 'take') response.writeHead(204);
      else if (typeof answer === 'number') response.writeHead(answer);
      else response.writeHead(answer.status, answer.headers);
      response.end();
    });
  }

  async close() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/**
 * starttls: {key, cert}: offered. login: {username, password}: asked for. refuse(command, n): an answer in place of the
 * usual one ("451 later") for the n-th mail's command, or nothing. What the client does against RFC 5321 is in `faults`.
 */
export class SmtpServer {
  static async start({ starttls, login, refuse = () => undefined } = {}) {
    const server = new SmtpServer();
    Object.assign(server, { starttls, login, refuse });
    server.listener = net.createServer((socket) => server.#serve(socket));
    await new Promise((resolve) => server.listener.listen(0, '127.0.0.1', resolve));
    server.port = server.listener.address().port;
    atEnd(() => server.close());
    return server;
  }

  mails = []; // {from, to, text, secure, user}
  tries = 0;
  faults = [];
  sockets = new Set();

  #serve(plain) {
    const session = { secure: false, greeted: false, user: undefined, mail: undefined, data: undefined, rest: '' };
    const follow = (socket) => {
      session.socket = socket;
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('error', () => {});
      socket.setEncoding('utf8');
      socket.on('data', (text) => {
        session.rest += text;
        for (let end; (end = session.rest.indexOf('\r\n')) >= 0;) {
          const line = session.rest.slice(0, end);
          session.rest = session.rest.slice(end + 2);
          if (line.includes('\n') || line.includes('\r')) this.faults.push(`a bare line break: ${JSON.stringify(line)}`);
          if (line.length > 998) this.faults.push(`a line of ${line.length}`);
          this.#line(session, line, follow);
        }
      });
    };
    follow(plain);
    plain.write('220 test ESMTP\r\n');
  }

  #line(session, line, follow) {
    const say = (text) => session.socket.write(`${text}\r\n`);
    if (session.data) {
      if (line !== '.') {
        session.data.push(line.startsWith('.') ? line.slice(1) : line);
        return;
      }
      const mail = { ...session.mail, text: session.data.join('\r\n'), secure: session.secure, user: session.user };
      session.data = session.mail = undefined;
      const refusal = this.refuse('.', this.tries);
      if (!refusal) this.mails.push(mail);
      say(refusal ?? '250 taken');
      return;
    }
    if (session.signingIn) {
      session.signingIn = false;
      return this.#signIn(session, line);
    }
    const [verb] = line.toUpperCase().split(' ');
    const refusal = this.refuse(verb, this.tries + (verb === 'MAIL' ? 1 : 0));
    const needs = (state, what) => {
      if (!state) this.faults.push(`${line} before ${what}`);
    };
    switch (verb) {
      case 'EHLO': {
        session.greeted = true;
        const offers = ['test'];
        if (this.starttls && !session.secure) offers.push('STARTTLS');
        if (this.login && (session.secure || !this.starttls)) offers.push('AUTH PLAIN');
        offers.forEach((offer, i) => say(`250${i + 1 < offers.length ? '-' : ' '}${offer}`));
        return;
      }
      case 'STARTTLS': {
        needs(session.greeted, 'EHLO');
        say('220 go ahead');
        const raw = session.socket;
        raw.removeAllListeners('data');
        session.secure = true;
        session.greeted = false;
        session.rest = '';
        follow(new tls.TLSSocket(raw, { isServer: true, ...this.starttls }));
        return;
      }
      case 'AUTH': {
        needs(session.greeted, 'EHLO');
        const initial = line.split(' ')[2];
        if (initial) return this.#signIn(session, initial);
        session.signingIn = true;
        say('334 ');
        return;
      }
      case 'MAIL':
        needs(session.greeted, 'EHLO');
        if (this.login) needs(session.user, 'AUTH');
        ++this.tries;
        session.mail = { from: /^MAIL FROM:<([^>]*)>/i.exec(line)?.[1], to: [] };
        say(refusal ?? '250 fine');
        return;
      case 'RCPT':
        needs(session.mail, 'MAIL');
        session.mail?.to.push(/^RCPT TO:<([^>]*)>/i.exec(line)?.[1]);
        say(refusal ?? '250 fine');
        return;
      case 'DATA':
        needs(session.mail?.to.length, 'RCPT');
        session.data = refusal ? undefined : [];
        say(refusal ?? '354 go on');
        return;
      case 'QUIT':
        say('221 bye');
        session.socket.end();
        return;
      default:
        this.faults.push(`unknown: ${line}`);
        say('500 what?');
    }
  }

  #signIn(session, text) {
    const [, user, password] = Buffer.from(text, 'base64').toString().split('\0');
    const right = user === this.login?.username && password === this.login?.password;
    if (right) session.user = user;
    session.socket.write(right ? '235 welcome\r\n' : '535 no\r\n');
  }

  async close() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.listener.close(resolve));
  }
}

/** The parts of a mail: headers by lower-case name, unfolded, and the body decoded. */
export function parseMail(text) {
  const split = text.indexOf('\r\n\r\n');
  assert.ok(split > 0, text);
  const headers = {};
  for (const line of text.slice(0, split).replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n')) {
    const [, name, value] = /^([!-9;-~]+): (.*)$/.exec(line) ?? assert.fail(`no header: ${line}`);
    assert.ok(!(name.toLowerCase() in headers), `${name} twice`);
    headers[name.toLowerCase()] = value;
  }
  const decoded = (value) => value.replaceAll(/=\?UTF-8\?B\?([^?]*)\?= ?/g, (_, b) => Buffer.from(b, 'base64').toString());
  headers.subject = decoded(headers.subject);
  return { headers, body: Buffer.from(text.slice(split + 4), 'base64').toString() };
}
