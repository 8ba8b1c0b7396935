// Package teemopay implements the Korean API of TeemoPay: deposits to a virtual account or through a
// wallet, payouts to a bank account, lookups by our order number, and the provider's callbacks.
//
// Sources are named as "pay-in page" (the original document) and as pages of docs.teemopay.com in the
// version of 2026-08-20, e.g. "zh korea/payin/create"; the Chinese pages are the more complete ones.
// What no page says is never taken for success or failure.
//
// Amounts are whole won, sent as "1000" and answered as "1000.00". Requests and callbacks are signed
// with SHA1withRSA, so the process must not run with GODEBUG=fips140=only; [New] notices that.
package teemopay
