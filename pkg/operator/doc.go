// Package operator carries out what a named person decides about a payment: release or cancel a parked
// one, resolve or retry one that the program cannot, step over an event that cannot be read. All goes through the same decision and the same
// compare-and-set append as the program's own, so a person can be late, but never write over what
// happened meanwhile. [Service] decides and appends; [Actions] does so between two records in AUDIT, and is what payctl and
// other programs for people call. [ReadTimeline] reads what such a program shows of a payment.
package operator
