// Package ingress is the HTTP border: it takes commands from upstream services, webhooks from payment
// providers, and shows payments. It decides nothing about money: what it takes goes into the queue,
// and what it shows stands in the log.
//
//	POST /v1/deposits, POST /v1/payouts          take a command           202
//	GET  /v1/payments/{provider}/{order}         the payment as it stands 200, 304
//	GET  /v1/payments/{provider}/{order}/events  its timeline             200
//	GET  /v1/providers                           what can be paid where   200
//	POST /webhooks/{provider}                    a provider's call        200
//	GET  /healthz, GET /readyz                   for the orchestrator     200
//
// Everything under /v1 needs an API key (see [APIKey]); a webhook needs its provider's signature.
//
// # Refusals
//
// Every refusal is a problem of RFC 9457 (application/problem+json) whose type begins with
// "urn:payonce:problem:". It names a field and never repeats a value, because a value can be personal
// data. The checks of a command run in this order:
//
//	401 unauthorized            no API key, or an unknown one
//	403 forbidden               the key is not for this operation; for this provider: once the body was read
//	415 unsupported_media_type  anything but uncompressed application/json
//	413 too_large               more than [events.MaxCommandBytes]
//	400 malformed               not one well-formed JSON object
//	422 invalid_field           well-formed, and a field is not acceptable; an unknown provider too
//	409 order_reused            the order is known with another command
//	503 unavailable             not stored for sure: send the same request again
//
// # Duplicates
//
// The order is the idempotency key: the same command sent again is answered with 202, the payment as
// it stands and "duplicate": true; another command under the same order with 409. A duplicate flag of
// false is no promise: two equal requests at the same moment can both be told false. They are still
// one payment, because the worker and the log keep one.
package ingress
