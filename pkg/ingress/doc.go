// Package ingress is the HTTP border: it takes commands from upstream services, webhooks from payment
// providers, and shows payments. It decides nothing about money: what it takes goes into the queue,
// and what it shows is in the log.
//
//	POST /v1/deposits, POST /v1/payouts                  take a command           202
//	GET  /v1/payments/{provider}/{order}                 the payment as it stands 200, 304
//	GET  /v1/payments/{provider}/{order}/events          its timeline             200
//	POST /v1/payments/{provider}/{order}/clarification   answer the provider      202
//	GET  /v1/providers                                   what can be paid where   200
//	GET  /v1/providers/{provider}                        what commands need there 200
//	GET  /v1/providers/{provider}/banks?operation=payout the banks it serves      200
//	GET  /v1/providers/{provider}/balance                what the account holds   200
//	POST /webhooks/{provider}                            a provider's call        200
//	GET  /healthz, GET /readyz                           for the orchestrator     200
//
// Everything under /v1 needs an API key (see [APIKey]); a webhook needs its provider's signature.
//
// # Refusals
//
// Every refusal is a problem of RFC 9457 (application/problem+json) whose type begins with
// "urn:payonce:problem:". It names a field and never repeats a value, because a value can be personal
// data. A command is told all that is wrong with it at once, as a list "errors" of JSON pointers with a detail each; another
// command under a known order number is told in which fields the two differ. The checks of a command run in this order:
//
//	403 certificate_required    client certificates are demanded, and none was shown
//	401 unauthorized            no API key, or an unknown one
//	429 rate_limited            more requests, or more of them at once, than the key may send; Retry-After says when to go on
//	403 forbidden               the key is not for this operation; for this provider: once the body was read
//	415 unsupported_media_type  anything but uncompressed application/json
//	413 too_large               more than [events.MaxCommandBytes]
//	429 rate_limited            more bytes than the key may send
//	503 overloaded              too many requests are worked on, or being read; nothing was taken
//	400 malformed               not one well-formed JSON object
//	409 order_reused            the order is known as one of the other operation
//	422 invalid_field           well-formed, and a field is not acceptable; an unknown provider too
//	409 order_reused            the order is known with another command; without field and detail: it is another upstream's
//	503 unavailable             not stored for sure: send the same request again
//
// # Clarifications
//
// A payment whose action has the type clarification waits for an answer:
//
//	POST /v1/payments/ecommpay-kr/D-1/clarification
//	{"fields": {"customer": {"last_name": "…"}}}
//
// fields has what the action lists, no more and no less; where it has only a schema, the provider checks
// the values. A revision beside fields is that of the payment that was read, and refuses an answer to a
// question that has changed since. The answer is 202 with the payment as it stands: it asks until a worker
// has told the provider. The same answer sent again is the same. Besides the refusals of a command:
//
//	404 not_found               no payment of this order is known to this upstream
//	409 clarification_not_asked the payment does not wait for an answer
//	409 clarification_queued    another answer is on its way to the provider
//	422 invalid_field           a field that was not asked for, or one that is missing
//
// # Whose payment it is
//
// A payment belongs to the upstream whose key asked for it ([APIKey]). To any other it does not exist: every request about
// it is answered as for an unknown order, after the same reads. Its number is taken all the same. Payments
// without an upstream are seen by every key of their provider.
//
// # What a provider says of itself
//
// The list of banks needs a key for the operation, the balance a key for payouts; both need one for the
// provider. A list of banks may be kept by the client for five minutes, a balance is asked for each time.
//
//	404 not_found               no such provider, or it does not provide this
//	502 provider_failed         it was asked and gave no usable answer
//	503 unavailable             it cannot be asked now
//
// # Duplicates
//
// The order is the idempotency key: the same command sent again is answered with 202, the payment as
// it stands and "duplicate": true; another command under the same order with 409. A duplicate flag of
// false is no promise: two equal requests at the same moment can both be answered with false. They are still
// one payment, because the worker and the log keep one.
package ingress
