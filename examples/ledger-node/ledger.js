// A ledger that books the outcomes of payonce, each once. See README.md beside it.
import net from 'node:net';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { AckPolicy, JetStreamApiError, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { decodeEvent } from 'payonce-client';
import { connectionFlags, forbidden, missing, open } from './connect.js';
import { Journal } from './journal.js';

// outcomes are the statuses that a ledger books. The consumer ledger-<name> of deploy/nats gets the same.
const outcomes = ['settled', 'failed', 'reversed', 'conflict'];

const { values: flags } = parseArgs({
  options: {
    ...connectionFlags,
    'api-prefix': { type: 'string', default: '$JS.API' }, // of the JetStream API; PAYONCE in an account of deploy/nats
    consumer: { type: 'string', default: 'ledger-accounting-node' }, // the durable consumer
    create: { type: 'boolean', default: false }, // make the consumer, where NATS has no accounts and no operator made it
    journal: { type: 'string', default: 'ledger-node.jsonl' }, // the file to book into
  },
});

let stopping = false;
let fetched; // the batch that is under way
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    stopping = true;
    fetched?.stop();
  });
}

// alone ends the program if another one books into the same file: two would not know of each other's entries.
// The name is one of Linux's own and goes with the process, however that ends; elsewhere there is no such guard.
function alone(path) {
  return new Promise((done, failed) => {
    const listener = net.createServer().unref();
    listener.once('error', (error) => (error.code === 'EADDRINUSE' ? failed(new Error(`another ledger books into ${path}`)) : done()));
    listener.listen(`\0payonce-ledger:${resolve(path)}`, done);
  });
}

async function consumerOf(nc) {
  const options = { apiPrefix: flags['api-prefix'] };
  if (flags.create) {
    try {
      const manager = await jetstreamManager(nc, { ...options, checkAPI: false });
      await manager.consumers.add('PAYMENTS', {
        durable_name: flags.consumer,
        ack_policy: AckPolicy.Explicit,
        ack_wait: 30e9, // nanoseconds
        filter_subjects: outcomes.map((status) => `payment.${status}.>`),
      });
    } catch (error) {
      if (options.apiPrefix === '$JS.API' && !forbidden(error)) throw error;
      throw new Refused(
        '--create is refused: this user may not make consumers. Start without it; an operator names the ledger in nats.ledgers ' +
          `and runs payctl streams apply (${error.message})`,
      );
    }
  }
  try {
    return await jetstream(nc, options).consumers.get('PAYMENTS', flags.consumer);
  } catch (error) {
    if (!missing(error)) throw error;
    throw new Refused(
      `there is no consumer ${flags.consumer}: start with --create where NATS has no accounts; elsewhere an operator names the ledger in ` +
        'nats.ledgers and runs payctl streams apply',
    );
  }
}

// Refused is what no repetition changes.
class Refused extends Error {}

// tell says what the ledger waits for, and that its records are lost where the consumer has read what the journal lacks.
async function tell(consumer, journal) {
  const { name, num_pending: pending, ack_floor: read } = await consumer.info();
  console.error(`ledger: waiting for payments that are ${outcomes.join(', ')}, as ${name}; ${pending} outcomes wait now`);
  if (read.stream_seq > 0 && journal.empty) {
    console.error(
      `ledger: the journal ${flags.journal} is empty, but ${name} has read the log up to sequence ${read.stream_seq}, and does not get that again.\n` +
        `ledger: if the records are lost: payctl ledgers rewind ${name.replace(/^ledger-/, '')} --from start`,
    );
  }
}

// persist does what only a lost connection can hinder until it is done. What NATS refuses it does not repeat.
async function persist(action, nc) {
  for (;;) {
    try {
      return await action(nc);
    } catch (error) {
      if (stopping || nc.isClosed() || error instanceof Refused || error instanceof JetStreamApiError || forbidden(error)) throw error;
      console.error('ledger: trying again:', error.message);
    }
  }
}

// decode reads a message. What the client does not know must not be booked, and not acknowledged either: an operator updates the
// ledger, and then it comes again.
function decode(message) {
  const header = new Map([...(message.headers ?? [])].map(([name, values]) => [name.toLowerCase(), values[0]])); // names have no case
  return decodeEvent(message.string(), (name) => header.get(name));
}

// follow books what comes until it is told to stop. A message is acknowledged only after it is on the disk:
// whatever dies in between, it comes again, and the journal knows it.
async function follow(consumer, journal) {
  while (!stopping) {
    const taken = [];
    // A fetch whose connection is lost may never end by itself.
    const timeout = setTimeout(() => fetched?.stop(), 10_000);
    try {
      fetched = await consumer.fetch({ max_messages: 100, expires: 2000 });
      for await (const message of fetched) taken.push(message);
    } catch (error) {
      console.error('ledger: trying again:', error.message); // e.g. NATS was restarted
      await new Promise((done) => setTimeout(done, 500));
    } finally {
      clearTimeout(timeout);
    }
    for (const message of taken) {
      try {
        const line = journal.post(decode(message));
        if (line) console.log(line);
      } catch (error) {
        throw new Error(`${message.subject} is not acknowledged: ${error.message}`);
      }
    }
    journal.sync();
    for (const message of taken) message.ack();
  }
}

try {
  await alone(flags.journal);
  const journal = new Journal(flags.journal);
  const nc = await open(flags, flags.consumer);
  try {
    const consumer = await persist(consumerOf, nc);
    await persist(() => tell(consumer, journal), nc);
    await follow(consumer, journal);
  } finally {
    await nc.drain(); // the last acknowledgements go out
    journal.close();
  }
} catch (error) {
  console.error('ledger:', error.message);
  process.exitCode = 1;
}
