package payment

// Move is a cell of the table: the status to go to, or one of the two that go nowhere.
type Move string

const (
	// forbidden: the caller must not do this; Decide returns ErrForbidden. The zero Move, so that a
	// pair that the table lacks is forbidden.
	forbidden Move = ""
	// stay: nothing new was learned; nothing is written.
	stay Move = "stay"
)

// Next returns the table's cell for a status and a piece of evidence: the next status, "stay", or
// empty when it is forbidden. For documentation and tests.
func Next(s Status, e Evidence) Move { return table[s][e] }

// table is the whole state machine: every status × every evidence. It follows three rules:
//
//   - Only Intend leads to submitting, only from a payment of which nothing was sent, or of which the
//     provider said, twice and late enough, that it does not know it. So an order is sent once.
//   - What the provider says about the order itself outranks what we believed, until there is an
//     outcome; after an outcome it makes a conflict. So there is one outcome.
//   - What is not clear changes nothing that is known, and time alone changes nothing at all. A page that
//     closed is no exception: the provider must say, twice and late enough, that the customer did not confirm it.
var table = map[Status]map[Evidence]Move{
	Requested: { // not in the log: only our own decisions apply; evidence must wait for the command
		Evidence(Intend): to(Submitting), intendAgain: forbidden,
		Evidence(Park): to(Parked), Evidence(Refuse): to(Failed), refuseProven: forbidden,
		Evidence(NotExecuted): forbidden, Evidence(Indeterminate): forbidden, firstHeard: forbidden, Evidence(Accepted): forbidden,
		Evidence(Paid): forbidden, paidAgain: forbidden, paidDifferently: forbidden, mismatch: forbidden,
		Evidence(Declined): forbidden, Evidence(Unknown): forbidden, lagging: forbidden, unconfirmed: forbidden, abandoned: forbidden, stale: forbidden,
		Evidence(Reversal): forbidden, Evidence(PartialReversal): forbidden, secondReference: forbidden,
		Evidence(Overdue): forbidden, Evidence(ApproveRetry): forbidden, retryProven: forbidden, Evidence(ManuallySettled): forbidden, Evidence(ManuallyFailed): forbidden,
	},
	Parked: { // nothing was executed, so news from the provider is a surprise, and true all the same
		Evidence(Intend): to(Submitting), intendAgain: forbidden,
		Evidence(Park): to(Parked), Evidence(Refuse): to(Failed), refuseProven: forbidden,
		Evidence(NotExecuted): stay, Evidence(Indeterminate): to(InDoubt), firstHeard: to(InDoubt), Evidence(Accepted): to(Pending),
		Evidence(Paid): to(Settled), paidAgain: stay, paidDifferently: to(Settled), mismatch: to(InDoubt),
		Evidence(Declined): to(Failed), Evidence(Unknown): stay, lagging: stay, unconfirmed: stay, abandoned: stay, stale: stay,
		Evidence(Reversal): to(Settled), Evidence(PartialReversal): to(InDoubt), secondReference: to(InDoubt),
		Evidence(Overdue): forbidden, Evidence(ApproveRetry): forbidden, retryProven: forbidden, Evidence(ManuallySettled): forbidden, Evidence(ManuallyFailed): forbidden,
	},
	Submitting: { // a request may be under way: a worker that did not send it must look up
		Evidence(Intend): forbidden, intendAgain: forbidden,
		Evidence(Park): forbidden, Evidence(Refuse): forbidden, refuseProven: forbidden,
		Evidence(NotExecuted): to(Parked), Evidence(Indeterminate): to(InDoubt), firstHeard: to(InDoubt), Evidence(Accepted): to(Pending),
		Evidence(Paid): to(Settled), paidAgain: stay, paidDifferently: to(Settled), mismatch: to(InDoubt),
		Evidence(Declined): to(Failed), Evidence(Unknown): to(InDoubt), lagging: stay, unconfirmed: stay, abandoned: stay, stale: stay,
		Evidence(Reversal): to(Settled), Evidence(PartialReversal): to(InDoubt), secondReference: to(InDoubt),
		Evidence(Overdue): forbidden, Evidence(ApproveRetry): forbidden, retryProven: forbidden, Evidence(ManuallySettled): forbidden, Evidence(ManuallyFailed): forbidden,
	},
	InDoubt: {
		Evidence(Intend): forbidden, intendAgain: to(Submitting),
		Evidence(Park): forbidden, Evidence(Refuse): forbidden, refuseProven: to(Failed),
		Evidence(NotExecuted): stay, Evidence(Indeterminate): to(InDoubt), firstHeard: to(InDoubt), Evidence(Accepted): to(Pending),
		Evidence(Paid): to(Settled), paidAgain: stay, paidDifferently: to(Settled), mismatch: to(InDoubt),
		Evidence(Declined): to(Failed), Evidence(Unknown): to(InDoubt), lagging: stay, unconfirmed: stay, abandoned: stay, stale: stay,
		Evidence(Reversal): to(Settled), Evidence(PartialReversal): to(InDoubt), secondReference: to(InDoubt),
		Evidence(Overdue): to(InDoubt), Evidence(ApproveRetry): forbidden, retryProven: to(InDoubt), Evidence(ManuallySettled): to(Settled), Evidence(ManuallyFailed): to(Failed),
	},
	Pending: { // the provider has it: "unknown" is not believed, unless all that it has is a page that closed
		Evidence(Intend): forbidden, intendAgain: forbidden,
		Evidence(Park): forbidden, Evidence(Refuse): forbidden, refuseProven: forbidden,
		Evidence(NotExecuted): stay, Evidence(Indeterminate): to(Pending), firstHeard: to(Pending), Evidence(Accepted): to(Pending),
		Evidence(Paid): to(Settled), paidAgain: stay, paidDifferently: to(Settled), mismatch: to(InDoubt),
		Evidence(Declined): to(Failed), Evidence(Unknown): stay, lagging: stay, unconfirmed: to(Pending), abandoned: to(Failed), stale: stay,
		Evidence(Reversal): to(Settled), Evidence(PartialReversal): to(InDoubt), secondReference: to(InDoubt),
		Evidence(Overdue): to(Pending), Evidence(ApproveRetry): forbidden, retryProven: forbidden, Evidence(ManuallySettled): to(Settled), Evidence(ManuallyFailed): to(Failed),
	},
	Settled: {
		Evidence(Intend): forbidden, intendAgain: forbidden,
		Evidence(Park): forbidden, Evidence(Refuse): forbidden, refuseProven: forbidden,
		Evidence(NotExecuted): stay, Evidence(Indeterminate): stay, firstHeard: stay, Evidence(Accepted): stay,
		Evidence(Paid): stay, paidAgain: stay, paidDifferently: to(Conflict), mismatch: to(Conflict),
		Evidence(Declined): to(Conflict), Evidence(Unknown): stay, lagging: stay, unconfirmed: stay, abandoned: stay, stale: stay,
		Evidence(Reversal): to(Reversed), Evidence(PartialReversal): to(Conflict), secondReference: to(Conflict),
		Evidence(Overdue): forbidden, Evidence(ApproveRetry): forbidden, retryProven: forbidden, Evidence(ManuallySettled): forbidden, Evidence(ManuallyFailed): forbidden,
	},
	Failed: {
		Evidence(Intend): forbidden, intendAgain: forbidden,
		Evidence(Park): forbidden, Evidence(Refuse): forbidden, refuseProven: forbidden,
		Evidence(NotExecuted): stay, Evidence(Indeterminate): stay, firstHeard: stay, Evidence(Accepted): stay,
		Evidence(Paid): to(Conflict), paidAgain: to(Conflict), paidDifferently: to(Conflict), mismatch: to(Conflict),
		Evidence(Declined): stay, Evidence(Unknown): stay, lagging: stay, unconfirmed: stay, abandoned: stay, stale: stay,
		Evidence(Reversal): to(Conflict), Evidence(PartialReversal): to(Conflict), secondReference: to(Conflict),
		Evidence(Overdue): forbidden, Evidence(ApproveRetry): forbidden, retryProven: forbidden, Evidence(ManuallySettled): forbidden, Evidence(ManuallyFailed): forbidden,
	},
	Conflict: { // what is said further is written down; only a person decides
		Evidence(Intend): forbidden, intendAgain: forbidden,
		Evidence(Park): forbidden, Evidence(Refuse): forbidden, refuseProven: forbidden,
		Evidence(NotExecuted): stay, Evidence(Indeterminate): to(Conflict), firstHeard: to(Conflict), Evidence(Accepted): stay,
		Evidence(Paid): to(Conflict), paidAgain: stay, paidDifferently: to(Conflict), mismatch: to(Conflict),
		Evidence(Declined): to(Conflict), Evidence(Unknown): stay, lagging: stay, unconfirmed: stay, abandoned: stay, stale: stay,
		Evidence(Reversal): to(Conflict), Evidence(PartialReversal): to(Conflict), secondReference: to(Conflict),
		Evidence(Overdue): forbidden, Evidence(ApproveRetry): forbidden, retryProven: forbidden, Evidence(ManuallySettled): to(Settled), Evidence(ManuallyFailed): to(Failed),
	},
	Reversed: {
		Evidence(Intend): forbidden, intendAgain: forbidden,
		Evidence(Park): forbidden, Evidence(Refuse): forbidden, refuseProven: forbidden,
		Evidence(NotExecuted): stay, Evidence(Indeterminate): stay, firstHeard: stay, Evidence(Accepted): stay,
		Evidence(Paid): stay, paidAgain: stay, paidDifferently: to(Conflict), mismatch: to(Conflict),
		Evidence(Declined): stay, Evidence(Unknown): stay, lagging: stay, unconfirmed: stay, abandoned: stay, stale: stay,
		Evidence(Reversal): stay, Evidence(PartialReversal): stay, secondReference: to(Conflict),
		Evidence(Overdue): forbidden, Evidence(ApproveRetry): forbidden, retryProven: forbidden, Evidence(ManuallySettled): forbidden, Evidence(ManuallyFailed): forbidden,
	},
}

func to(s Status) Move { return Move(s) }
