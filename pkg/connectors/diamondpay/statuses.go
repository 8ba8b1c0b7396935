package diamondpay

import (
	"maps"
	"regexp"

	"payonce/pkg/payment"
)

// The meanings of a status, as they are in configuration. A status that has none is indeterminate.
const (
	statusPending       = "pending"
	statusPaid          = "paid"
	statusFailed        = "failed"
	statusIndeterminate = "indeterminate"
)

var (
	statusMeanings = []string{statusFailed, statusPaid, statusPending, statusIndeterminate}
	statusPattern  = regexp.MustCompile(`^(0|[1-9][0-9]?)$`)
)

// statuses maps a status as the provider writes it to its meaning.
type statuses map[string]string

// The statuses of showdoc (order states) and of the newer pages. Payout statuses 4 to 6 are in the
// newer pages only.
var (
	depositStatuses = statuses{
		"0": statusPending, "1": statusPending, // pending, processing
		"2": statusPaid,
		"3": statusFailed, "4": statusFailed, // cancelled, failed
	}
	payoutStatuses = statuses{
		"0": statusPending, "1": statusPending, "2": statusPending, // scheduled, pending, processing
		"3": statusPaid,
		"4": statusFailed, "5": statusFailed, // cancelled, failed
		"6": statusPending, // under review
	}
)

// changedBy returns a copy of s with the changes of a configuration.
func (s statuses) changedBy(changes map[string]string) statuses {
	changed := maps.Clone(s)
	maps.Copy(changed, changes)
	return changed
}

// statusTables returns the tables of an account.
func (s Settings) statusTables() map[payment.Operation]statuses {
	return map[payment.Operation]statuses{
		payment.Deposit: depositStatuses.changedBy(s.DepositStatuses),
		payment.Payout:  payoutStatuses.changedBy(s.PayoutStatuses),
	}
}
