// Package diamondpay speaks the gateway of Diamond Pay and its white labels: deposits in won (API v1 and
// v2) and in New Taiwan dollars (v1), payouts in won (v2), lookups by our order number, balances, and the
// provider's notifications.
//
// Sources are named as "seed 000", "seed 001" and "seed 002" (the original documents of the three
// deposits) and as pages: "apayasia" and "payment-docs-aay" (the newer documents), "showdoc" (the older,
// Chinese one). What no page says is never taken for success or failure; what is only the usual practice
// of the family is called an assumption and can be configured.
//
// Amounts are whole hundredths of the currency, also for the won, which has none: 10,000 KRW is 1000000,
// and 483.89 TWD is 48389 (seeds 000 to 002). An amount in won that is no multiple of 100 is never
// rounded.
//
// One configured provider is one account of one currency.
package diamondpay
