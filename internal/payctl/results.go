package payctl

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"payonce/pkg/events"
	"payonce/pkg/operator"
)

// actionReport is what came of an action to many things, or would.
type actionReport struct {
	Action   events.Action  `json:"action"`
	Provider string         `json:"provider,omitempty"`
	Chosen   int            `json:"chosen"`
	DryRun   bool           `json:"dry_run"`
	Results  map[string]int `json:"results"`
	// Items are the things, each with its own result.
	Items []events.AuditItem `json:"items"`
}

// leftShown is how many things that were left as they are get a line of their own.
const leftShown = 20

// write prints how many came to what, and which were not done. JSON has every one.
func (r actionReport) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(w, r)
	}
	for _, result := range slices.Sorted(maps.Keys(r.Results)) {
		_, _ = fmt.Fprintf(w, "%d: %s\n", r.Results[result], printable(result))
	}
	left := slices.DeleteFunc(slices.Clone(r.Items), func(i events.AuditItem) bool { return i.Result == "" || wasDone(i.Result) })
	for _, item := range left[:min(leftShown, len(left))] {
		_, _ = fmt.Fprintf(w, "  %s: %s\n", named(item), printable(item.Result))
	}
	if more := len(left) - leftShown; more > 0 {
		_, _ = fmt.Fprintf(w, "  … and %d more; payctl audit list --json has all\n", more)
	}
	return nil
}

// named is what a person calls a thing.
func named(i events.AuditItem) string {
	switch {
	case i.DeadLetter != 0 && i.Order != "":
		return fmt.Sprintf("dead letter %d (%s)", i.DeadLetter, i.Order)
	case i.DeadLetter != 0:
		return fmt.Sprintf("dead letter %d", i.DeadLetter)
	}
	return i.Order
}

// wasDone reports whether a result says that the action was done.
func wasDone(result string) bool {
	return slices.Contains([]string{operator.Released, operator.LookedUp, operator.Cancelled, operator.Erased, operator.Replayed, operator.Dropped, operator.SentAgain}, result)
}

// leftAlone makes the exit code say that not all was done.
func leftAlone(results map[string]int) error {
	left := 0
	for result, n := range results {
		if !wasDone(result) {
			left += n
		}
	}
	if left > 0 {
		return fmt.Errorf("%d not done", left)
	}
	return nil
}

// counted writes "1 payment", "2 payments".
func counted(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
