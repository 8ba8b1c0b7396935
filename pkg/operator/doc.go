// Package operator carries out what a named person decides about a payment: release or cancel a parked
// one, resolve or retry one that the program cannot, step over an event that cannot be read. All goes through the same decision and the same
// compare-and-set append as the program's own, so a person can be late, but never write over what
// happened meanwhile. The record in AUDIT is the caller's: it is written before.
package operator
