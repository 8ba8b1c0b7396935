package ingress

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/tracing"
)

// banksMaxAge is how long a client may keep a list of banks. The connector keeps one for longer.
const banksMaxAge = 5 * time.Minute

type bankList struct {
	Provider  string            `json:"provider"`
	Operation payment.Operation `json:"operation"`
	Banks     []bank            `json:"banks"`
}

// bank is one of the banks that a provider serves. Its code is fit for account.bank_code of a command.
type bank struct {
	Code       string `json:"code"`
	Name       string `json:"name"`
	NativeName string `json:"native_name,omitempty"`
}

type balanceList struct {
	Provider string    `json:"provider"`
	Balances []balance `json:"balances"`
}

// balance is what the merchant's account holds in one currency.
type balance struct {
	Currency  string        `json:"currency"`
	Available payment.Money `json:"available"`
	Frozen    payment.Money `json:"frozen"`
}

// banks shows the banks that a provider serves for an operation.
func (s *Server) banks(w http.ResponseWriter, r *http.Request) *problem {
	name, connector, refused := s.provider(r)
	if refused != nil {
		return refused
	}
	op := payment.Operation(r.URL.Query().Get("operation"))
	if !op.Valid() {
		refused := newProblem(kindInvalid, "must be deposit or payout, as a parameter of the URL")
		refused.Field = "operation"
		return refused
	}
	if !requestOf(r).key.allowsOperation(op) {
		return newProblem(kindForbidden, "This API key is not allowed to use this operation.")
	}
	lister, able := connector.(connectors.BankLister)
	if !able {
		return newProblem(kindNotFound, "This provider has no list of banks.")
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.limits.BackendTimeout)
	defer cancel()
	ctx, call := tracing.StartCall(ctx, "banks", payment.Ref{Provider: name}, 0)
	list, err := lister.Banks(ctx, op)
	call.End(err)
	if err != nil {
		return s.notTold(r, name, err)
	}
	if len(list) == 0 {
		return newProblem(kindNotFound, "This provider has no list of banks for this operation.")
	}
	answer := bankList{Provider: name, Operation: op, Banks: make([]bank, 0, len(list))}
	for _, b := range list {
		answer.Banks = append(answer.Banks, bank(b))
	}
	w.Header().Set("Cache-Control", fmt.Sprintf("private, max-age=%d", banksMaxAge/time.Second))
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// balance shows what the merchant's account at a provider holds. Payouts are made from it, so the key must
// be for payouts.
func (s *Server) balance(w http.ResponseWriter, r *http.Request) *problem {
	name, connector, refused := s.provider(r)
	if refused != nil {
		return refused
	}
	if !requestOf(r).key.allowsOperation(payment.Payout) {
		return newProblem(kindForbidden, "This API key is not allowed to use payouts.")
	}
	if key := requestOf(r).key; !s.keys.Load().seesTotals(key, name, s.onNATS) {
		return newProblem(kindForbidden, "Other upstreams use this provider as well, and its balance would reveal their payments.")
	}
	balancer, able := connector.(connectors.Balancer)
	if !able {
		return newProblem(kindNotFound, "This provider has no balance query.")
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.limits.BackendTimeout)
	defer cancel()
	ctx, call := tracing.StartCall(ctx, "balance", payment.Ref{Provider: name}, 0)
	list, err := balancer.Balance(ctx)
	call.End(err)
	if err != nil {
		return s.notTold(r, name, err)
	}
	answer := balanceList{Provider: name, Balances: make([]balance, 0, len(list))}
	for _, b := range list {
		answer.Balances = append(answer.Balances, balance(b))
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// provider returns the provider of the path and its connector, if the key is for it.
func (s *Server) provider(r *http.Request) (string, connectors.Connector, *problem) {
	name := r.PathValue("provider")
	if !requestOf(r).key.allowsProvider(name) {
		return "", nil, newProblem(kindForbidden, "This API key is not allowed to use this provider.")
	}
	connector, known := s.registry.Get(name)
	if !known {
		return "", nil, newProblem(kindNotFound, "Unknown provider, see /v1/providers.")
	}
	return name, connector, nil
}

// notTold is the problem of a provider that was asked and did not answer, or not usefully.
func (s *Server) notTold(r *http.Request, name string, err error) *problem {
	if r.Context().Err() != nil {
		return newProblem(kindGone, "")
	}
	failed, known := connectors.Classify(err), requestOf(r)
	s.logger.WarnContext(r.Context(), "call to the provider failed", "route", known.route, "request_id", known.id, "provider", name,
		"class", failed.Class.String(), "code", failed.Code, "provider_code", failed.ProviderCode, "evidence", failed.Evidence)
	switch failed.Class {
	case connectors.NotSent, connectors.Throttled:
		return newProblem(kindUnavailable, "The provider cannot be reached. Retry later.")
	default:
		return newProblem(kindProvider, "The provider's answer could not be used.")
	}
}
