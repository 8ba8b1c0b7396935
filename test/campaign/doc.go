// Package campaign tries to break the promise with real processes. It runs three nats-servers as a
// cluster, a redis-server, the providers' sandbox, an ingress and workers on the loopback, lets orders
// come in at a steady rate while it kills, freezes and cuts off these processes, lets everything drain,
// and then holds every accepted order against the log, and the log against the sandbox's records.
//
// The sandbox executes an order number as often as it is sent, each time as a charge of its own: what
// keeps a payment single is payonce alone.
package campaign
