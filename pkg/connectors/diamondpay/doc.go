// Package diamondpay implements the gateway of Diamond Pay and its white labels: deposits in won (API v1 and
// v2) and in New Taiwan dollars (v1), payouts in won (v2), lookups by our order number, balances, and the
// provider's notifications.
//
// Sources are the KRW deposit page (v1), the v2 deposit page and the TWD deposit page, which describe the three
// deposits, and of the others: "apayasia" and "payment-docs-aay" (the newer documents), "showdoc" (the older,
// Chinese one). What no page says is never taken for success or failure; what is only the usual practice
// of the family is called an assumption and can be configured.
//
// Amounts are whole hundredths of the currency, also for the won, which has none: 10,000 KRW is 1000000,
// and 483.89 TWD is 48389 (the deposit pages). An amount in won that is no multiple of 100 is never
// rounded.
//
// One configured provider is one account of one currency.
package diamondpay
