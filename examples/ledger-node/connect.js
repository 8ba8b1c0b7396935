// What both programs have in common: the flags of a connection, and the connection.
import { readFileSync } from 'node:fs';
import { connect, nkeyAuthenticator } from '@nats-io/transport-node';

export const connectionFlags = {
  nats: { type: 'string', default: 'nats://127.0.0.1:4222' }, // URL of NATS
  seed: { type: 'string' }, // file with the nkey seed, on a secured NATS
  ca: { type: 'string' }, // file with the CA of a secured NATS
};

// open connects, and reconnects, for as long as it takes. It gives up only where NATS does not let this user in.
export function open(flags, name) {
  return connect({
    name,
    servers: flags.nats.split(','),
    maxReconnectAttempts: -1,
    waitOnFirstConnect: true,
    ...(flags.seed && { authenticator: nkeyAuthenticator(new TextEncoder().encode(readFileSync(flags.seed, 'utf8').trim())) }),
    ...(flags.ca && { tls: { caFile: flags.ca } }),
  });
}

// forbidden says whether an error means that this user may not do what it tried, however deep the client wraps it.
export function forbidden(error) {
  return Boolean(error) && (error.name === 'PermissionViolationError' || forbidden(error.cause));
}
