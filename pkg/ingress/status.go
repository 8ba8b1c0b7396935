package ingress

import (
	"context"
	"net/http"

	"payonce/pkg/payment"
	"payonce/pkg/status"
)

// Status reports the state of the system. It is safe for concurrent use.
type Status interface {
	Report(ctx context.Context) status.Report
}

// showStatus shows the state of all that the API key may see: of its providers, of its upstream's endpoints, and of payments only
// those that it could read one by one. What is counted at a provider that other upstreams use is of all of them, so it is left out.
func (s *Server) showStatus(w http.ResponseWriter, r *http.Request) *problem {
	if s.status == nil {
		return newProblem(kindUnavailable, "The status is not known here.")
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.limits.BackendTimeout)
	defer cancel()
	report := s.status.Report(ctx)
	if r.Context().Err() != nil {
		return newProblem(kindGone, "")
	}
	key := requestOf(r).key
	totals := func(provider string) bool { return s.keys.Load().seesTotals(key, provider, s.onNATS) }
	writeJSON(w, http.StatusOK, report.For(key.allowsProvider, totals, func(i status.Item) bool {
		if i.Reason == status.DeadLetters {
			return totals(i.Provider)
		}
		return key.allowsOperation(i.Operation) && i.Operation.Valid() && (payment.Payment{Upstream: i.Upstream}).VisibleTo(key.upstream())
	}, func(e status.Endpoint) bool { return e.Upstream != "" && e.Upstream == key.upstream() }))
	return nil
}
