// A file of entries, one line each, and what they come to. Each outcome says what an order's booked amount is
// now, so nothing is added up and nothing can be added twice. Put a table with the key (provider, order) in
// its place.
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';

// nothing is the field "to" of an entry that books 0. It is left out where no currency is known: of a refused command without an amount.
const nothing = (currency) => (currency ? { to: { value: '0', currency } } : {});

export class Journal {
  #file;
  #last = new Map(); // by provider/order
  #dirty = true; // what was read may not be on the disk yet

  // The constructor cuts off a line that a crash left unfinished: it was never acknowledged.
  constructor(path) {
    this.#file = openSync(path, 'a+', 0o600);
    const text = readFileSync(path);
    const whole = text.subarray(0, text.lastIndexOf('\n') + 1);
    ftruncateSync(this.#file, whole.length);
    for (const line of whole.toString().split('\n').filter(Boolean)) {
      const entry = JSON.parse(line);
      this.#last.set(`${entry.provider}/${entry.order}`, entry);
    }
    this.sync();
  }

  // post writes what an outcome changes and returns the line, or '' if the order's journal is as far already.
  // It is on the disk after sync.
  post({ id: event, payment }) {
    const { provider, order, operation, revision, status, settled_amount, fee, provider_completed_at, annotations = [] } = payment;
    const key = `${provider}/${order}`;
    const before = this.#last.get(key);
    if (revision <= (before?.revision ?? 0)) return ''; // delivered again, or out of order: a later event has said it all
    const from = before?.to?.currency ? before.to : undefined; // of nothing, which older journals wrote as an empty amount
    const entry = { event, provider, order, operation, revision, status, ...(from && { from }) };
    switch (status) {
      case 'settled':
        if (!settled_amount) throw new Error(`${key} is settled without settled_amount`);
        entry.to = settled_amount; // not what was asked for: what the provider says arrived
        // What the provider keeps, as it says, and its value date. A fee that is missing is unknown, not zero, and one that contradicts
        // the amount is for a person: the provider's statement says it.
        if (fee && !annotations.some((a) => a.reason?.code === 'fee_impossible')) entry.fee = fee;
        if (provider_completed_at) entry.completed_at = provider_completed_at;
        break;
      case 'failed':
      case 'reversed':
        Object.assign(entry, nothing(from?.currency ?? payment.amount?.currency));
        break;
      case 'conflict': // the outcome is unknown: a settled or failed follows, by a person
        if (from) entry.to = from;
        entry.stop = true;
        break;
      default:
        throw new Error(`${key}: the status "${status}" is not an outcome`);
    }
    const line = Buffer.from(JSON.stringify(entry) + '\n');
    if (writeSync(this.#file, line) !== line.length) throw new Error('the disk is full');
    this.#last.set(key, entry);
    this.#dirty = true;
    return line.toString().trimEnd();
  }

  // sync returns when all that was posted is on the disk.
  sync() {
    if (!this.#dirty) return;
    fsyncSync(this.#file);
    this.#dirty = false;
  }

  // empty says that nothing is booked.
  get empty() {
    return this.#last.size === 0;
  }

  close() {
    closeSync(this.#file);
  }
}
