// What both programs have in common: the flags of a connection, and the connection.
import { readFileSync } from 'node:fs';
import { JetStreamApiError } from '@nats-io/jetstream';
import { connect, nkeyAuthenticator } from '@nats-io/transport-node';

export const connectionFlags = {
  nats: { type: 'string', default: 'nats://127.0.0.1:4222' }, // URL of NATS
  seed: { type: 'string' }, // file with the nkey seed, on a secured NATS
  ca: { type: 'string' }, // file with the CA of a secured NATS
};

// open connects, and reconnects, for as long as it takes, and says so. It gives up only where NATS does not let this user in. A
// signal ends the program while there is no connection: nothing was read that could be lost.
export async function open(flags, name) {
  const end = (signal) => process.exit(signal === 'SIGINT' ? 130 : 143);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, end);
  const waiting = setTimeout(() => console.error(`waiting for NATS at ${flags.nats}`), 1000);
  try {
    return await connect({
      name,
      servers: flags.nats.split(','),
      maxReconnectAttempts: -1,
      waitOnFirstConnect: true,
      ...(flags.seed && { authenticator: nkeyAuthenticator(new TextEncoder().encode(readFileSync(flags.seed, 'utf8').trim())) }),
      ...(flags.ca && { tls: { caFile: flags.ca } }),
    });
  } finally {
    clearTimeout(waiting);
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, end);
  }
}

// forbidden says whether an error means that this user may not do what it tried, however deep the client wraps it.
export function forbidden(error) {
  return Boolean(error) && (error.name === 'PermissionViolationError' || forbidden(error.cause));
}

// missing says whether an error means that there is no such consumer.
export function missing(error) {
  return error instanceof JetStreamApiError && error.code === 10014;
}
