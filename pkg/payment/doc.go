// Package payment is the domain: what a payment is, what can be learned about it, and the one
// function, [Decide], that says what a payment becomes when something was learned.
//
// The package is pure. It knows no network, no clock, no queue and no provider; time is an argument.
// All values are safe for concurrent reading; nothing here starts a goroutine or keeps state.
package payment
