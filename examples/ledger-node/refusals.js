// An upstream service that reads why its commands were refused, each once, also what was refused while it did not run. See README.md
// beside it.
import { parseArgs } from 'node:util';
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connectionFlags, missing, open } from './connect.js';

const { values: flags } = parseArgs({
  options: {
    ...connectionFlags,
    'api-prefix': { type: 'string', default: '$JS.API' }, // of the JetStream API; PAYONCE in an account of deploy/nats
    consumer: { type: 'string', default: 'refusals-example' }, // the durable consumer; refusals-<upstream> in an account of deploy/nats
    create: { type: 'boolean', default: false }, // make the consumer, where NATS has no accounts
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

// handle is where your own code stands: release what you reserved for the order, and correct what sends such commands. A refusal can
// come twice, with the same id. The order itself may be a payment all the same: of the command that came before this one.
function handle(id, { provider, order, message, reason, detail, errors = [], published_at, stream, sequence }) {
  console.log(JSON.stringify({ id, provider, order, message, reason, detail, errors, published_at, stream, sequence }));
}

async function consumerOf(nc) {
  const options = { apiPrefix: flags['api-prefix'] };
  if (flags.create) {
    const manager = await jetstreamManager(nc, { ...options, checkAPI: false });
    await manager.consumers.add('REFUSALS', {
      durable_name: flags.consumer,
      ack_policy: AckPolicy.Explicit,
      ack_wait: 30e9, // nanoseconds
      filter_subjects: ['command.refused.~.*.*'], // of commands that no account published
    });
  }
  try {
    return await jetstream(nc, options).consumers.get('REFUSALS', flags.consumer);
  } catch (error) {
    if (!missing(error)) throw error;
    throw new Error(
      `there is no consumer ${flags.consumer}: start with --create where NATS has no accounts; elsewhere an operator names the upstream in ` +
        'nats.upstreams and runs payctl streams apply',
    );
  }
}

try {
  const nc = await open(flags, flags.consumer);
  try {
    const consumer = await consumerOf(nc);
    while (!stopping) {
      fetched = await consumer.fetch({ max_messages: 10, expires: 2000 });
      for await (const message of fetched) {
        handle(message.headers?.get('ce-id'), message.json());
        message.ack(); // after it was handled: whatever dies in between, it comes again
      }
    }
  } finally {
    await nc.drain(); // the last acknowledgements go out
  }
} catch (error) {
  console.error('refusals:', error.message);
  process.exitCode = 1;
}
