// Package payctl is the operator's command line: it makes and checks providers' signatures, shows
// payments from the log, lists a provider's banks, and imports mass payouts. It never changes a payment
// that exists: all it can send is new commands.
package payctl
