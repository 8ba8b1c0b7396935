// Package ecommpay implements ECommPay's "Banks of Korea": deposits through the Payment Page or the
// Gate API, payouts through Gate, lookups by our order number, clarifications, the list of banks, and
// the provider's callbacks.
//
// Sources are named as "Korean banks page" (the original document of the payment method) and as pages of
// developers.ecommpay.com, e.g. "en_Gate_payment_status_request"; pages of the same platform under other
// brands are named with their host. What no page says is never taken for success or failure.
//
// Amounts are whole won in major units (Korean banks page). Everything is signed with HMAC-SHA512 over the
// flattened JSON, see [SigningString].
package ecommpay
