// The client against a server that answers what a test says, and webhooks that are signed by Node's own crypto.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { Client, NotSigned, Problem, Receiver, actionable, decodeEvent, ended } from 'payonce-client';

const command = { provider: 'teemopay-kr', order: 'D-1', amount: { value: '10000', currency: 'KRW' } };
const accepted = { provider: 'teemopay-kr', order: 'D-1', status: 'requested', revision: 0, duplicate: true };

// serve answers each request with the next function; the last one answers all that follow.
async function serve(t, ...answers) {
  const requests = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    requests.push([request.method, request.url, request.headers.authorization, request.headers['content-type'], request.headers.prefer, body].join(' '));
    (answers.length > 1 ? answers.shift() : answers[0])(response);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => (server.closeAllConnections(), server.close()));
  return { requests, client: new Client(`http://127.0.0.1:${server.address().port}`, 'key', { pause: () => 0 }) };
}

const say = (status, body, headers = {}) => (response) => response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
const cut = (response) => response.destroy();
const view = (status, more = {}) => say(200, { ...accepted, status, ...more });

test('a command is repeated until it is answered', async (t) => {
  const { requests, client } = await serve(t, cut, say(503, {}, { 'retry-after': '0' }), say(429, {}), say(408, ''), say(500, '<html>'), say(202, '{"provider":'), say(202, accepted));
  assert.equal((await client.deposit(command)).duplicate, true);
  assert.equal(requests.length, 7);
  assert.deepEqual([...new Set(requests)], [`POST /v1/deposits Bearer key application/json  ${JSON.stringify(command)}`]);
});

test('a refusal is thrown', async (t) => {
  for (const [status, body, code] of [[409, { type: 'urn:payonce:problem:order_reused' }, 'order_reused'], [404, '<html>', ''], [302, '', ''],
    [422, { type: 'urn:payonce:problem:invalid_field', errors: [{ pointer: '/customer/name', detail: 'is required' }, { pointer: '/amount', detail: 'is too large' }] }, 'invalid_field']]) {
    const { requests, client } = await serve(t, say(status, body, { location: 'http://127.0.0.1:1/' }));
    const problem = await client.payout(command).catch((e) => e);
    assert.ok(problem instanceof Problem, String(problem));
    assert.deepEqual([problem.status, problem.code, requests.length], [status, code, 1]);
    for (const e of body.errors ?? []) assert.match(problem.message, new RegExp(`${e.pointer} ${e.detail}`));
  }
});

test('it waits until what is asked for', async (t) => {
  const answers = () => [view('requested'), view('polishing'), view('pending', { action: { type: 'redirect' } }), say(503, ''), view('settled')];
  const one = await serve(t, ...answers());
  assert.equal((await one.client.wait('teemopay-kr', 'D-1', actionable)).status, 'pending');
  assert.equal(one.requests[0], 'GET /v1/payments/teemopay-kr/D-1 Bearer key  wait=60 ');
  const other = await serve(t, ...answers());
  assert.equal((await other.client.wait('teemopay-kr', 'D-1', ended)).status, 'settled');
});

test('an abort ends it', async (t) => {
  const abort = new AbortController();
  const { client } = await serve(t, (response) => (abort.abort(new Error('enough')), say(503, '')(response)));
  await assert.rejects(client.deposit(command, abort.signal), /enough/);
  await assert.rejects(client.wait('a', 'b', ended, abort.signal), /enough/);
});

test('what can never be sent is an error at once', async () => {
  for (const address of ['ftp://a.example', 'https://a:b@a.example', 'https://a.example?b']) assert.throws(() => new Client(address, 'key'));
  assert.throws(() => new Client('https://a.example', ''));
  await assert.rejects(new Client('http://127.0.0.1:1', 'a\nkey').deposit(command), TypeError);
});

const now = Date.parse('2026-11-30T09:00:00Z');
const key = (text) => `whsec_${Buffer.from(text).toString('base64')}`;
const [old, current] = [key('the old key of 32 bytes, really!'), key('the new key of 32 bytes, really!')];
const event = JSON.stringify({ provider: 'teemopay-kr', order: 'D-1', operation: 'deposit', status: 'settled', revision: 3 });

function headers(secret, body, { id = 'event-1', at = now / 1000 } = {}) {
  const signature = createHmac('sha256', Buffer.from(secret.slice(6), 'base64')).update(`${id}.${at}.${body}`).digest('base64');
  return new Headers({ 'webhook-id': id, 'webhook-timestamp': String(at), 'webhook-signature': `v1,AAAA v2,x v1,${signature}` });
}

test('signed webhooks are read, and no others', async () => {
  const receiver = new Receiver(current, old);
  const read = (body, h) => receiver.read(body, (name) => h.get(name), now);
  for (const secret of [old, current]) {
    assert.deepEqual(await read(event, headers(secret, event)), { id: 'event-1', payment: JSON.parse(event), test: false });
  }
  const trial = '{"test":true,"endpoint":"shop"}';
  assert.deepEqual(await read(trial, headers(current, trial)), { id: 'event-1', test: true });
  await assert.rejects(read('{}', headers(current, '{}')), TypeError);
  const renamed = headers(current, event);
  renamed.set('webhook-id', 'event-9');
  for (const [body, h] of [[`${event} `, headers(current, event)], [event, renamed], [event, headers(key('another'), event)], [event, new Headers()],
    [event, headers(current, event, { at: now / 1000 - 301 })], [event, headers(current, event, { at: now / 1000 + 301 })]]) {
    await assert.rejects(read(body, h), NotSigned);
  }
  assert.throws(() => new Receiver());
  assert.throws(() => new Receiver('whsec_***'), (e) => !e.message.includes('***'));
});

test('an event of the log is read, and one of an unknown version is not', () => {
  const payment = { provider: 'teemopay-kr', order: 'D-1', operation: 'deposit', status: 'settled', revision: 3, settled_amount: { value: '9900', currency: 'KRW' }, fee: { value: '104.02', currency: 'KRW' }, later: 'added' };
  const header = { 'ce-specversion': '1.0', 'ce-type': 'payment.settled', 'ce-id': 'event-1', 'ce-dataschema': 'urn:payonce:schema:payment:v1' };
  const read = (changes, data = payment) => decodeEvent(JSON.stringify(data), (name) => ({ ...header, ...changes })[name]);
  assert.deepEqual(read({}), { id: 'event-1', payment, test: false });
  for (const changes of [{ 'ce-specversion': '2.0' }, { 'ce-type': 'payment.failed' }, { 'ce-dataschema': 'urn:payonce:schema:payment:v2' }, { 'ce-id': undefined }]) {
    assert.throws(() => read(changes), TypeError, JSON.stringify(changes));
  }
  for (const changes of [{ status: 'polished' }, { revision: 0 }, { order: undefined }, { operation: 'refund' }, { provider: 5 }]) {
    assert.throws(() => read({ 'ce-type': `payment.${changes.status ?? 'settled'}` }, { ...payment, ...changes }), TypeError, JSON.stringify(changes));
  }
});
