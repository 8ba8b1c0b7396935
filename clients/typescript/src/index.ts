// A client of payonce's ingress, and a receiver of its webhooks. The types of everything on the wire are made from openapi.yaml.
//
// The order number is the idempotency key: choose it before the first try, store it, and send the same command again after a
// crash. However often it was sent, it is one payment.
import type { components } from './api.js';

export { Receiver, NotSigned, decodeEvent, type Event } from './receiver.js';

type Schemas = components['schemas'];
/** What to pay; see docs/upstream.md for what each provider needs. */
export type Command = Omit<Schemas['command'], 'operation'>;
/** A payment as it stands. A later version of payonce can have statuses that are not in this type. */
export type Payment = Schemas['view'];
/** The answer to a command: the payment, and whether the same command was accepted before. */
export type Accepted = Schemas['accepted'];
/** What is wrong with one field of a command. */
export interface FieldProblem {
  pointer: string; // RFC 6901, e.g. "/customer/name"
  detail: string;
}

/** A refusal (RFC 9457). The same request would be refused again. */
export class Problem extends Error {
  /** The last part of the problem's type, e.g. "order_reused"; empty where something else than an ingress answered. */
  readonly code: string;
  /** All fields that are wrong. */
  readonly errors: FieldProblem[];

  constructor(
    /** of HTTP */
    readonly status: number,
    readonly body: { type?: string; title?: string; detail?: string; instance?: string; errors?: FieldProblem[] },
  ) {
    const errors = Array.isArray(body.errors) ? body.errors : [];
    const details = errors.length > 0 ? errors.map((e) => `${e.pointer} ${e.detail}`) : [body.detail].filter(Boolean);
    super([`${status} ${body.title ?? 'not an answer of an ingress'}`, ...details].join(': '));
    this.name = 'Problem';
    this.code = body.type?.startsWith(prefix) ? body.type.slice(prefix.length) : '';
    this.errors = errors;
  }
}

const prefix = 'urn:payonce:problem:';
const ends = new Set<string>(['settled', 'failed', 'conflict', 'reversed']);

/** Whether a payment has an outcome. */
export const ended = (p: Payment): boolean => ends.has(p.status);
/** Whether there is something that the customer must do, or the payment has ended. */
export const actionable = (p: Payment): boolean => ('action' in p && p.action !== undefined) || ended(p);

export interface Options {
  /** Instead of the global one. */
  fetch?: typeof fetch;
  /** The pause before the n-th try after the first, in ms. */
  pause?: (n: number) => number;
}

const oneRequest = 90_000; // ms, of which an ingress may wait 60 s
const longest = 30_000; // ms between two tries, unless the ingress asks for more

interface Reply<T> {
  answer: T;
  waited: boolean; // the ingress waited, as it was asked to
}

export class Client {
  readonly #base: URL;
  readonly #key: string;
  readonly #fetch: typeof fetch;
  readonly #pause: (n: number) => number;

  /** address is like "https://payments.example.com", key an API key of that ingress. */
  constructor(address: string, key: string, options: Options = {}) {
    this.#base = new URL(address.endsWith('/') ? address : `${address}/`);
    if (!/^https?:$/.test(this.#base.protocol) || this.#base.username || this.#base.search || this.#base.hash) {
      throw new TypeError('the address must be like https://payments.example.com');
    }
    if (!key) throw new TypeError('the API key is empty');
    this.#key = key;
    this.#fetch = options.fetch ?? fetch;
    this.#pause = options.pause ?? ((n) => Math.random() * Math.min(200 * 2 ** n, longest)); // with jitter: many clients try again
  }

  /** Asks for a deposit. Like payout. */
  async deposit(command: Command, signal?: AbortSignal): Promise<Accepted> {
    return (await this.#ask<Accepted>('POST', 'v1/deposits', signal, JSON.stringify(command))).answer;
  }

  /**
   * Asks for a payout. Without an answer, or with one that says nothing about the command (408, 429, 5xx), it sends the same
   * bytes again until signal aborts. It throws a Problem where the command is refused. After an abort the command may have been
   * accepted: send it again, or ask for the payment.
   */
  async payout(command: Command, signal?: AbortSignal): Promise<Accepted> {
    return (await this.#ask<Accepted>('POST', 'v1/payouts', signal, JSON.stringify(command))).answer;
  }

  /** A payment as it stands. An order of another API key is a Problem with the code not_found. */
  async payment(provider: string, order: string, signal?: AbortSignal): Promise<Payment> {
    return (await this.#ask<Payment>('GET', path(provider, order), signal)).answer;
  }

  /** The payment as soon as until holds of it, e.g. ended or actionable. It asks the ingress to answer when something has changed. */
  async wait(provider: string, order: string, until: (p: Payment) => boolean, signal?: AbortSignal): Promise<Payment> {
    for (let tries = 0; ; tries++) {
      const { answer, waited } = await this.#ask<Payment>('GET', path(provider, order), signal, undefined, 'wait=60');
      if (until(answer)) return answer;
      if (waited && !actionable(answer)) tries = 0; // an ingress waits for nothing more than that the customer can act
      await sleep(this.#pause(tries), signal);
    }
  }

  async #ask<T>(method: string, to: string, signal?: AbortSignal, body?: string, prefer?: string): Promise<Reply<T>> {
    for (let tries = 0; ; tries++) {
      const { reply, after } = await this.#once<T>(method, to, signal, body, prefer);
      if (reply) return reply;
      await sleep(Math.max(after, this.#pause(tries)), signal);
    }
  }

  // #once sends a request. Without an answer it says after how many ms another try makes sense; a refusal is thrown.
  async #once<T>(method: string, to: string, signal?: AbortSignal, body?: string, prefer?: string): Promise<{ reply?: Reply<T>; after: number }> {
    signal?.throwIfAborted();
    const timeout = AbortSignal.timeout(oneRequest);
    const headers = new Headers({ authorization: `Bearer ${this.#key}` }); // here, so that a key that cannot be sent is an error at once
    if (body !== undefined) headers.set('content-type', 'application/json');
    if (prefer !== undefined) headers.set('prefer', prefer);
    let response: Response;
    let text: string;
    try {
      response = await this.#fetch(new URL(to, this.#base), {
        method,
        headers,
        redirect: 'manual', // the key is for this ingress alone
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        ...(body === undefined ? {} : { body }),
      });
      text = await response.text();
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof TypeError || (error as Error).name === 'TimeoutError') return { after: 0 }; // no answer
      throw error;
    }
    const parsed = json(text);
    if (response.ok && parsed !== undefined) return { reply: { answer: parsed as T, waited: response.headers.has('preference-applied') }, after: 0 };
    if (response.ok || response.status === 408 || response.status === 429 || response.status >= 500) {
      const seconds = Number(response.headers.get('retry-after') ?? 0);
      return { after: 1000 * Math.min(Math.max(seconds || 0, 0), 3600) };
    }
    throw new Problem(response.status, (typeof parsed === 'object' && parsed) || {});
  }
}

const path = (provider: string, order: string) => `v1/payments/${encodeURIComponent(provider)}/${encodeURIComponent(order)}`;

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((done, failed) => {
    signal?.throwIfAborted();
    const timer = setTimeout(() => (signal?.removeEventListener('abort', abort), done()), ms);
    const abort = () => (clearTimeout(timer), failed(signal?.reason));
    signal?.addEventListener('abort', abort, { once: true });
  });
}
