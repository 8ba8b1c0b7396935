// Package httpcall makes exactly one HTTP request towards a payment provider and says, with evidence,
// what a failure means for the money: nothing was sent, or the outcome is unknown.
//
// Go's own client is too helpful for payments: it repeats a request on a connection that dropped,
// follows redirects, and reports a reset before and after the request in the same words. [Send] does
// none of that, and [NewClient] makes the only transport for which its proof holds.
package httpcall
