// Package payctl is the operator's command line. It shows payments, parked commands and dead letters; it releases,
// cancels, resolves and retries payments by a person's decision (pkg/operator) and records each in AUDIT; it applies
// and compares streams, makes credentials, imports mass payouts, compares a provider's statement with the log, and
// makes and verifies providers' signatures. docs/payctl.md has every command.
package payctl
