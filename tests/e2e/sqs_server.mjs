// A server that speaks the AWS JSON protocol (1.0) of Amazon SQS, and holds its client to it: signatures (Signature
// Version 4, worked out anew), headers, the shape of each request, receipts and visibility timeouts. Listens on loopback and
// is closed when the test file ends.
//
// Sources  Amazon SQS API Reference; "Create a signed AWS API request" in the AWS IAM guide.

import assert from 'node:assert/strict';
import { createHash, createHmac, randomUUID } from 'node:crypto';
import http from 'node:http';
import { atEnd } from './harness.mjs';

export const credential = { id: 'AKIDEXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
export const region = 'eu-west-1';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
const md5 = (text) => createHash('md5').update(text).digest('hex');

/** The Authorization header that this request must have. */
export function authorization({ method, path, headers, body }, { id, secret }, signedNames) {
  const date = headers['x-amz-date'];
  const scope = `${date.slice(0, 8)}/${region}/sqs/aws4_request`;
  const canonical = [method, path, '', ...signedNames.map((name) => `${name}:${headers[name].trim().replace(/ +/g, ' ')}`), '',
    signedNames.join(';'), sha256(body)].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  const key = [date.slice(0, 8), region, 'sqs', 'aws4_request'].reduce(hmac, `AWS4${secret}`);
  const signature = hmac(key, toSign).toString('hex');
  return `AWS4-HMAC-SHA256 Credential=${id}/${scope}, SignedHeaders=${signedNames.join(';')}, Signature=${signature}`;
}

class Refusal extends Error {
  constructor(status, code, words) {
    super(`${code}: ${words}`);
    Object.assign(this, { status, code, words });
  }
}

const shapes = {
  ReceiveMessage: ['AttributeNames', 'MaxNumberOfMessages', 'QueueUrl', 'VisibilityTimeout', 'WaitTimeSeconds'],
  DeleteMessageBatch: ['Entries', 'QueueUrl'],
  ChangeMessageVisibilityBatch: ['Entries', 'QueueUrl'],
};
const entryShapes = {
  DeleteMessageBatch: ['Id', 'ReceiptHandle'],
  ChangeMessageVisibilityBatch: ['Id', 'ReceiptHandle', 'VisibilityTimeout'],
};

export class SqsServer {
  /** token: the session token that requests must have. maxReceiveCount: of the redrive policy; 0: none. */
  static async start({ token, maxReceiveCount = 0 } = {}) {
    const server = new SqsServer();
    Object.assign(server, { token, maxReceiveCount });
    server.http = http.createServer((request, response) => server.#take(request, response));
    server.http.on('connection', (socket) => {
      server.sockets.add(socket);
      socket.on('close', () => server.sockets.delete(socket));
      socket.on('error', () => {});
    });
    await new Promise((resolve) => server.http.listen(0, '127.0.0.1', resolve));
    server.endpoint = `http://127.0.0.1:${server.http.address().port}`;
    server.queueUrl = `${server.endpoint}/123456789012/plant`;
    atEnd(() => server.close());
    return server;
  }

  messages = []; // {id, body, visibleAt, receipt, received}
  deadLetters = [];
  deleted = []; // ids
  calls = []; // {action, body}
  broken = []; // what the client did against the protocol
  faults = []; // {action, status, code, how}: each for one request of that action
  sockets = new Set();
  #waiting = new Set();

  async close() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.http.close(resolve));
  }

  send(body) {
    const message = { id: randomUUID(), body: typeof body === 'string' ? body : JSON.stringify(body), visibleAt: 0, received: 0 };
    this.messages.push(message);
    for (const wake of this.#waiting) wake();
    return message.id;
  }

  /** The next request of this action fails so: an HTTP status with a code, or 'half', 'hang', 'md5', 'not-json'. */
  fail(action, how, code = 'InternalFailure') {
    this.faults.push({ action, how, code });
  }

  count(action) {
    return this.calls.filter((call) => call.action === action).length;
  }

  #take(request, response) {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', async () => {
      const text = Buffer.concat(chunks);
      try {
        const { action, body } = this.#check({ method: request.method, path: request.url, headers: request.headers, body: text });
        this.calls.push({ action, body });
        await this.#answer(action, body, response);
      } catch (error) {
        if (!(error instanceof Refusal)) this.broken.push(error.message);
        const { status = 400, code = 'InvalidRequest', words = error.message } = error;
        this.#reply(response, status, { __type: `com.amazonaws.sqs#${code}`, message: words });
      }
    });
  }

  #check(request) {
    const { headers } = request;
    assert.equal(request.method, 'POST');
    assert.equal(request.path, '/');
    assert.equal(headers['content-type'], 'application/x-amz-json-1.0');
    assert.equal(headers.expect, undefined);
    const [, service, action] = /^(AmazonSQS)\.(\w+)$/.exec(headers['x-amz-target']) ?? [];
    assert.equal(service, 'AmazonSQS', `X-Amz-Target: ${headers['x-amz-target']}`);
    this.#checkSignature(request);
    const body = JSON.parse(request.body);
    assert.deepEqual(Object.keys(body).sort(), shapes[action], `${action} with its members`);
    assert.equal(body.QueueUrl, this.queueUrl);
    if (body.Entries) this.#checkEntries(action, body.Entries);
    return { action, body };
  }

  #checkSignature(request) {
    const { headers } = request;
    const given = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\S+), ?SignedHeaders=(\S+), ?Signature=([0-9a-f]{64})$/
      .exec(headers.authorization);
    assert.ok(given, `Authorization: ${headers.authorization}`);
    const date = headers['x-amz-date'];
    assert.match(date, /^\d{8}T\d{6}Z$/);
    const at = Date.parse(date.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z'));
    assert.ok(Math.abs(Date.now() - at) < 5 * 60_000, `the time ${date}`);
    assert.equal(headers['x-amz-security-token'], this.token);
    const names = given[3].split(';');
    assert.deepEqual(names, [...names].sort());
    for (const name of ['host', ...Object.keys(headers).filter((h) => h.startsWith('x-amz-'))]) {
      assert.ok(names.includes(name), `${name} is signed`);
    }
    const expected = authorization(request, { ...credential, id: given[1] }, names);
    if (given[1] !== credential.id || headers.authorization.replaceAll(', ', ',') !== expected.replaceAll(', ', ',')) {
      throw new Refusal(403, 'SignatureDoesNotMatch', `it does not match.\n\nThe Canonical String was ${credential.secret}`);
    }
  }

  #checkEntries(action, entries) {
    assert.ok(entries.length >= 1 && entries.length <= 10, `${entries.length} entries`);
    assert.equal(new Set(entries.map((e) => e.Id)).size, entries.length, 'ids of entries are distinct');
    for (const entry of entries) {
      assert.deepEqual(Object.keys(entry).sort(), entryShapes[action]);
      if ('VisibilityTimeout' in entry) assert.ok(entry.VisibilityTimeout >= 0 && entry.VisibilityTimeout <= 43_200);
    }
  }

  async #answer(action, body, response) {
    const at = this.faults.findIndex((f) => f.action === action);
    const fault = at >= 0 ? this.faults.splice(at, 1)[0] : {};
    if (typeof fault.how === 'number') throw new Refusal(fault.how, fault.code, 'as the test says');
    if (fault.how === 'hang') return;
    if (fault.how === 'not-json') return void response.writeHead(200).end('<html>');
    const answer = action === 'ReceiveMessage' ? await this.#receive(body, fault.how === 'md5', response)
      : this.#change(action, body.Entries);
    this.#reply(response, 200, answer, fault.how === 'half');
  }

  async #receive({ MaxNumberOfMessages: most, WaitTimeSeconds: wait, VisibilityTimeout: hidden, AttributeNames: names }, damage,
    response) {
    assert.equal(most, 10);
    assert.deepEqual(names, ['ApproximateReceiveCount']);
    const deadline = Date.now() + wait * 1000;
    while (!response.destroyed && this.#visible().length === 0 && Date.now() < deadline) await this.#next(deadline);
    if (response.destroyed) return {};
    const Messages = this.#visible().slice(0, most).map((message) => {
      Object.assign(message, { visibleAt: Date.now() + hidden * 1000, receipt: randomUUID(), received: message.received + 1 });
      return { MessageId: message.id, ReceiptHandle: message.receipt, Body: message.body,
        MD5OfBody: damage ? md5('another') : md5(message.body), Attributes: { ApproximateReceiveCount: `${message.received}` } };
    });
    return Messages.length > 0 ? { Messages } : {};
  }

  #visible() {
    const now = Date.now();
    const isDead = (m) => this.maxReceiveCount > 0 && m.received >= this.maxReceiveCount && m.visibleAt <= now;
    this.deadLetters.push(...this.messages.filter(isDead));
    this.messages = this.messages.filter((m) => !isDead(m));
    return this.messages.filter((m) => m.visibleAt <= now);
  }

  /** Until a message comes, or one may be given again. */
  #next(deadline) {
    const soonest = Math.min(deadline, ...this.messages.map((m) => m.visibleAt));
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.max(5, soonest - Date.now()));
      this.#waiting.add(wake);
    });
  }

  #change(action, entries) {
    const answer = { Successful: [], Failed: [] };
    for (const { Id, ReceiptHandle, VisibilityTimeout } of entries) {
      const message = this.messages.find((m) => m.receipt === ReceiptHandle && m.visibleAt > Date.now());
      if (!message) {
        answer.Failed.push({ Id, SenderFault: true, Code: 'ReceiptHandleIsInvalid' });
        continue;
      }
      answer.Successful.push({ Id });
      if (action === 'ChangeMessageVisibilityBatch') {
        message.visibleAt = Date.now() + VisibilityTimeout * 1000;
      } else {
        this.messages.splice(this.messages.indexOf(message), 1);
        this.deleted.push(message.id);
      }
    }
    return answer;
  }

  #reply(response, status, answer, half = false) {
    const text = JSON.stringify(answer);
    response.writeHead(status, { 'Content-Type': 'application/x-amz-json-1.0', 'Content-Length': Buffer.byteLength(text) });
    if (!half) return response.end(text);
    response.write(text.slice(0, text.length / 2), () => response.destroy());
  }
}
