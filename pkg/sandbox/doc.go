// Package sandbox simulates payment providers over real HTTP, for tests and demos, and keeps the truth
// that a real provider hides: every request, every charge, every movement of money, every callback.
// A test that claims "paid once" is checked against [Sandbox.Truth].
//
// This package holds what all providers share: the accounts, the ledger, the faults, the callbacks and
// the admin API. A provider's wire format is a [Protocol] in a package below. None of it imports a
// connector: each protocol is a second reading of the provider's documents.
//
// Every fault can be switched on for one order by its number: the order contains x-<fault> between
// dashes, as in D1-x-drop-7, or x-<fault>_<n> for only the first n times, as in D1-x-drop_1-7. The same
// switches exist in Go ([Sandbox.SetFaults]), in the admin API, and as defaults of an account.
//
// It must never run beside a real provider: no money moves here.
package sandbox
