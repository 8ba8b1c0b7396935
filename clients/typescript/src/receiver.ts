import type { components } from './api.js';

/** An event of a payment that payonce delivers. */
export interface Event {
  /** The same however often the event is delivered: book each once. */
  id: string;
  /** The payment after the event; revision grows with each event of a payment. Missing of a test. */
  payment?: components['schemas']['event'];
  /** A person tries the endpoint: the event is about no payment. */
  test: boolean;
}

/** The request is not signed with one of the secrets, or is more than five minutes old. Answer it with 401. */
export class NotSigned extends Error {
  override name = 'NotSigned';
}

/**
 * Reads an event of the stream PAYMENTS: data is the text of its message, header reads one of its headers, whose names have no case. It
 * throws a TypeError for an event of a version or with a status that is not known here: neither book nor acknowledge it, so that it
 * comes again once this program is updated.
 */
export function decodeEvent(data: string, header: (name: string) => string | null | undefined): Event {
  const [version, schema, kind] = [header('ce-specversion'), header('ce-dataschema'), header('ce-type')];
  if (version !== '1.0' || schema !== 'urn:payonce:schema:payment:v1') throw new TypeError(`CloudEvents ${version} with the schema ${schema} are not known here`);
  const event = eventOf(header('ce-id') ?? '', JSON.parse(data));
  if (kind !== `payment.${event.payment?.status}`) throw new TypeError(`the event is a ${kind}, and its payment is ${event.payment?.status}`);
  return event;
}

const statuses = new Set<unknown>(['parked', 'submitting', 'in_doubt', 'pending', 'settled', 'failed', 'conflict', 'reversed']);

function eventOf(id: string, data: any): Event {
  const named = typeof data?.provider === 'string' && typeof data.order === 'string' && ['deposit', 'payout'].includes(data.operation);
  if (!id || !named || !Number.isSafeInteger(data.revision) || data.revision < 1 || !statuses.has(data.status)) {
    throw new TypeError('the event names no payment, or has a status that is not known here');
  }
  return { id, payment: data, test: false };
}

const tolerance = 5 * 60; // seconds, as Standard Webhooks has it

/** Verifies the signed webhooks of payonce (Standard Webhooks). */
export class Receiver {
  readonly #keys: Promise<CryptoKey[]>;

  /** secrets begin with whsec_: two while one takes the place of the other. */
  constructor(...secrets: string[]) {
    if (secrets.length === 0) throw new TypeError('a receiver needs a secret');
    const keys = secrets.map((secret) => bytes(secret.replace(/^whsec_/, ''))); // throws at once, without showing it
    this.#keys = Promise.all(keys.map((key) => crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify'])));
  }

  /**
   * Verifies a request and returns its event. body is the text as it came, header reads one of its headers. Answer 2xx only when the event
   * is stored: then it does not come again. After any other error than NotSigned answer 500, and it comes again for three days.
   */
  async read(body: string, header: (name: string) => string | null | undefined, now = Date.now()): Promise<Event> {
    const id = header('webhook-id');
    const at = header('webhook-timestamp');
    if (!id || !at || !/^\d{1,12}$/.test(at) || Math.abs(now / 1000 - Number(at)) > tolerance) throw new NotSigned('no id or no recent time');
    const signed = new TextEncoder().encode(`${id}.${at}.${body}`);
    const signatures = (header('webhook-signature') ?? '').split(' ').flatMap((s) => (s.startsWith('v1,') ? [s.slice(3)] : []));
    if (!(await this.#signed(signed, signatures))) throw new NotSigned('no signature is right');
    const data = JSON.parse(body);
    if (data.test === true) return { id, test: true };
    return eventOf(id, data);
  }

  async #signed(text: Uint8Array<ArrayBuffer>, signatures: string[]): Promise<boolean> {
    for (const key of await this.#keys) {
      for (const signature of signatures.slice(0, 8)) {
        try {
          if (await crypto.subtle.verify('HMAC', key, bytes(signature), text)) return true; // in constant time
        } catch {
          // not base64
        }
      }
    }
    return false;
  }
}

function bytes(base64: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  } catch {
    throw new TypeError('not whsec_ and base64');
  }
}
