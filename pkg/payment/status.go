package payment

// Status says what is known about a payment. Its text is on the wire: in subjects, events, the status
// API, metrics and configuration. Statuses are only ever added.
type Status string

// The statuses. The table in table.go says which leads to which.
const (
	// Requested: a command exists and nothing was decided yet. It is shown, never written to the log.
	Requested Status = "requested"
	// Parked: nothing was executed; the payment will be tried at ResumeAt.
	Parked Status = "parked"
	// Submitting: written before the request leaves, so a request may have been made.
	Submitting Status = "submitting"
	// InDoubt: a request was made and its result is not known.
	InDoubt Status = "in_doubt"
	// Pending: the provider has the payment and has not finished it, or its customer was given the link to the
	// provider's page.
	Pending Status = "pending"
	// Settled: money moved.
	Settled Status = "settled"
	// Failed: no money moved, and none will.
	Failed Status = "failed"
	// Conflict: evidence contradicts an outcome. Only a person leads out of it.
	Conflict Status = "conflict"
	// Reversed: a settled payment was reversed.
	Reversed Status = "reversed"
)

// Statuses lists all statuses in the order of a payment's life.
func Statuses() []Status {
	return []Status{Requested, Parked, Submitting, InDoubt, Pending, Settled, Failed, Conflict, Reversed}
}

// Valid reports whether s is a known status.
func (s Status) Valid() bool {
	for _, known := range Statuses() {
		if s == known {
			return true
		}
	}
	return false
}

// Ended reports whether the program itself will do nothing more for a payment in this status.
func (s Status) Ended() bool {
	return s == Settled || s == Failed || s == Conflict || s == Reversed
}
