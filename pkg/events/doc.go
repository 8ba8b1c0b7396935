// Package events is what goes over the wire: subjects, CloudEvents attributes, the encoding of commands
// and of payments, and their JSON Schemas. It knows no broker; pkg/events/jetstream carries it.
//
// Messages are CloudEvents 1.0 in the binary mode of the CloudEvents NATS protocol binding: attributes
// are in headers named "ce-…", percent-encoded, and the data is the message's body. Everything here
// that is a string on the wire is compared with golden files and is only ever added to.
package events
