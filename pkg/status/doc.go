// Package status reports the state of the system: each provider, endpoint and process, and which payments need a person.
//
// A process that may read the log counts the open payments by following its headers ([Open]) and says what it counted in its
// heartbeat ([Heartbeat]), beside how it is itself. A reader of the status puts the heartbeats together with what the
// configuration and the broker say ([Assemble]). What could not be found out is unknown in the [Report], never 0.
package status
