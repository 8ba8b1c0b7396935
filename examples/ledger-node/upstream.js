// An upstream service that asks for one payment by NATS, again and again until the command is stored. Run twice,
// it is still one payment. See README.md beside it.
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { JetStreamApiError, jetstream } from '@nats-io/jetstream';
import { connectionFlags, forbidden, open } from './connect.js';

const { values: flags } = parseArgs({
  options: {
    ...connectionFlags,
    operation: { type: 'string', default: 'deposit' }, // or payout
    provider: { type: 'string', default: 'teemopay-kr' },
    order: { type: 'string' }, // chosen before the first try, and never again for the same payment
    value: { type: 'string', default: '10000' },
    currency: { type: 'string', default: 'KRW' },
    name: { type: 'string', default: '홍길동' }, // of the customer
  },
});

// ask publishes until JetStream has acknowledged. No answer says nothing: the command may be stored or not, and
// the same command again is the same payment.
async function ask(js, subject, body) {
  // The id is that of this very command, so that NATS keeps it once; another command of the order has another
  // and is refused by a worker, where a person sees it.
  const msgID = createHash('sha256').update(`${subject}\n${body}`).digest('hex');
  for (let wait = 100; ; wait = Math.min(2 * wait, 5000)) {
    try {
      return await js.publish(subject, body, { msgID, timeout: 5000 });
    } catch (error) {
      const refused = error instanceof JetStreamApiError && error.status === 400; // e.g. too large: it never changes
      if (refused || forbidden(error)) throw error;
      console.error('upstream: publishing again:', error.message);
      await new Promise((done) => setTimeout(done, wait));
    }
  }
}

try {
  if (!flags.order) throw new Error('--order is required');
  const body = JSON.stringify({
    provider: flags.provider,
    order: flags.order,
    amount: { value: flags.value, currency: flags.currency },
    customer: { name: flags.name },
  });
  const nc = await open(flags, 'upstream-example');
  try {
    const { stream, seq, duplicate } = await ask(jetstream(nc), `${flags.operation}.requested.${flags.provider}.${flags.order}`, body);
    console.log(JSON.stringify({ stream, seq, duplicate }));
  } finally {
    await nc.drain();
  }
} catch (error) {
  console.error('upstream:', error.message);
  process.exitCode = 1;
}
