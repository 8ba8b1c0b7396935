// Package contracts holds tests of what goes over the wire against what was released: a reader or writer of
// then must go on working.
package contracts
