// Package connectors says what payonce needs from a payment provider: the port [Connector], its
// optional capabilities, the classes of errors, and the traits that a provider's documents promise.
//
// A connector implements one provider's protocol and does nothing else: it never retries, starts no
// goroutine, writes no log, reads no environment and no file. Every rule about money (when to send,
// when to look up, what a status becomes) is in pkg/payment and pkg/worker.
package connectors
