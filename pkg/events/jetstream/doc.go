// Package jetstream keeps payonce's events in NATS JetStream: the log of payments with its
// compare-and-set append, the queue of commands with its parking, the webhooks and the dead letters. It is what
// ingresses and workers need. Packages admin, janitor and statistics do the rest on the same connection.
// No package of the services but these imports nats.go.
//
// Everything hangs on a [Conn], which is safe for concurrent use. Delivery is at least once: handlers
// see a message again after a crash, a lost acknowledgement or a restart of the server. What must not
// happen twice is guarded by [Conn.Append], which one of any number of concurrent writers wins.
//
// A publish whose acknowledgement is lost is repeated until the context ends, so contexts given to this package should have a
// deadline. It is stored once: an event of the log by its expected sequence, another message by its Nats-Msg-Id.
package jetstream
