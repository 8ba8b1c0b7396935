package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

const (
	// accountsEvery is how often a running worker looks whether others work with another account.
	accountsEvery = 10 * time.Second
	// othersLeave is how long a worker that works with another account than those before it waits for their requests to
	// leave the broker: longer than the broker keeps the request of a worker that died.
	othersLeave = 40 * time.Second
	// accountItems is how many open payments the record of an account names.
	accountItems = 100
)

// errAccountInDoubt says that a provider's account was changed while payments may have been sent to the old one.
var errAccountInDoubt = errors.New("the account was changed while payments may have been sent to the previous one")

// acceptance is what a person said at the command line about changed accounts.
type acceptance struct {
	all        bool
	providers  map[string]bool
	by, reason string
}

// String, Set and IsBoolFlag let "--accept-account-change" stand for all accounts and "--accept-account-change=NAME" for one.
func (a *acceptance) String() string { return "" }

func (a *acceptance) IsBoolFlag() bool { return true }

func (a *acceptance) Set(text string) error {
	switch {
	case text == "true":
		a.all = true
	case text == "false":
		*a = acceptance{by: a.by, reason: a.reason}
	case payment.ValidProvider(text):
		if a.providers == nil {
			a.providers = map[string]bool{}
		}
		a.providers[text] = true
	default:
		return fmt.Errorf("%q is not a valid provider name", text)
	}
	return nil
}

func (a *acceptance) given() bool { return a.all || len(a.providers) > 0 }

func (a *acceptance) of(provider string) bool { return a.all || a.providers[provider] }

// validate checks the name and the reason, which are kept in AUDIT.
func (a *acceptance) validate() error {
	if !a.given() {
		if a.by != "" || a.reason != "" {
			return errors.New("--by and --reason require --accept-account-change")
		}
		return nil
	}
	a.by, a.reason = cmp.Or(a.by, "unnamed"), cmp.Or(a.reason, "started with --accept-account-change")
	return operator.Person{Name: a.by, Why: a.reason}.Validate()
}

// checkAccounts makes sure that each provider is still the account that its payments were sent to, as AUDIT remembers it,
// and lets AUDIT remember an account that is new. It returns an error if payments may have been sent to another account,
// unless a person accepted that, and if other workers work with another account: one of the two would look payments up
// where they are not known, and send them again.
func checkAccounts(ctx context.Context, rt Runtime, conn *admin.Conn) error {
	for _, name := range rt.Connectors.Names() {
		if err := checkAccount(ctx, rt, conn, name); err != nil {
			return err
		}
	}
	return nil
}

func checkAccount(ctx context.Context, rt Runtime, conn *admin.Conn, name string) error {
	connector, _ := rt.Connectors.Get(name)
	r := events.AuditRecord{
		ID: uuid.NewString(), Stage: events.Intended, Action: events.ActionAccount, Provider: name, By: rt.Name, At: rt.Now().UTC(),
		Account: connectors.AccountOf(connector), Items: []events.AuditItem{}, Reason: "the first start with this provider",
	}
	last, err := conn.LastAccount(ctx, name)
	if err != nil {
		return &startError{err, "check that workers may read AUDIT, see deploy/nats/accounts.conf"}
	}
	if r.AccountBefore = last.Record.Account; last.Sequence > 0 {
		r.Reason = "the account was changed while no payment that may have been sent was open"
	}
	switch {
	case r.AccountBefore == r.Account && rt.Now().Sub(last.StoredAt) < rt.Config.NATS.AuditRetention/2:
		if rt.accept.of(name) {
			rt.Logger.Warn("--accept-account-change is not needed: the account is unchanged", "provider", name,
				"next", "start workers without it, or it would accept a later mistake")
		}
		return nil
	case r.AccountBefore == r.Account:
		r.Reason = "the previous record will soon expire"
	case last.Sequence > 0:
		if err := mayChange(ctx, rt, conn, &r); err != nil {
			return err
		}
	}
	if err := recordAccount(ctx, rt, conn, r, last.Sequence); err != nil {
		return err
	}
	rt.Logger.Info("account of a provider recorded", "provider", name, "account", r.Account, "before", r.AccountBefore, "by", r.By, "reason", r.Reason)
	return nil
}

// mayChange returns an error if workers must not begin to work with another account.
func mayChange(ctx context.Context, rt Runtime, conn *admin.Conn, r *events.AuditRecord) error {
	if err := othersLeft(ctx, rt, conn, r); err != nil {
		return err
	}
	open, err := conn.MaybeSent(ctx, r.Provider)
	if err != nil {
		return &startError{err, "try again"}
	}
	if len(open) == 0 {
		return nil
	}
	if !rt.accept.of(r.Provider) {
		return refuseAccount(*r, open)
	}
	r.By, r.Reason = rt.accept.by, rt.accept.reason
	for _, ref := range open[:min(len(open), accountItems)] {
		r.Items = append(r.Items, events.AuditItem{Order: ref.Order})
	}
	rt.Logger.Warn("changed account accepted while payments may have been sent to the previous one", "provider", r.Provider,
		"account", r.Account, "before", r.AccountBefore, "payments", len(open), "by", r.By, "reason", r.Reason,
		"next", "start workers without --accept-account-change from now on")
	return nil
}

func refuseAccount(r events.AuditRecord, open []payment.Ref) error {
	first := make([]string, 0, 5)
	for _, ref := range open[:min(len(open), cap(first))] {
		first = append(first, ref.Order)
	}
	return &startError{
		fmt.Errorf("provider %s: %w: from %q to %q, %d payments, for example %s", r.Provider, errAccountInDoubt, r.AccountBefore, r.Account,
			len(open), strings.Join(first, ", ")),
		"start workers with the old account until these payments have ended, or end them with payctl payment resolve; give the new account " +
			"another provider name; or, if both are the same account at the provider, start one worker once with --accept-account-change=" +
			r.Provider + " --by NAME --reason TEXT",
	}
}

// othersLeft waits until no worker asks the broker for commands of a provider any more: workers with two accounts must
// never run beside each other.
func othersLeft(ctx context.Context, rt Runtime, conn *admin.Conn, r *events.AuditRecord) error {
	late := time.NewTimer(othersLeave)
	defer late.Stop()
	for {
		waiting, err := conn.PullsWaiting(ctx, r.Provider)
		if err != nil {
			return &startError{err, "try again"}
		}
		if waiting == 0 {
			return nil
		}
		rt.Logger.Info("waiting for workers with another account to stop", "provider", r.Provider, "account", r.Account, "before", r.AccountBefore)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-late.C:
			return &startError{
				fmt.Errorf("provider %s: other workers still use the account %q; this one has %q", r.Provider, r.AccountBefore, r.Account),
				"stop all workers, then start those with the new account",
			}
		case <-time.After(time.Second):
		}
	}
}

// recordAccount lets AUDIT remember an account: the intent, and that it is done.
func recordAccount(ctx context.Context, rt Runtime, conn *admin.Conn, r events.AuditRecord, after uint64) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err := conn.RecordAccount(ctx, r, after)
	if errors.Is(err, events.ErrStale) { // another worker was faster: with the same account all is well
		last, lastErr := conn.LastAccount(ctx, r.Provider)
		if lastErr == nil && last.Record.Account == r.Account {
			return nil
		}
		return &startError{fmt.Errorf("provider %s: another worker started with another account at the same time", r.Provider), "give all workers the same configuration"}
	}
	if err == nil {
		r.Stage, r.At = events.Finished, rt.Now().UTC()
		err = conn.Audit(ctx, r)
	}
	if err != nil {
		return &startError{fmt.Errorf("provider %s: %w", r.Provider, err), "allow workers to publish operator.account.*.-, as deploy/nats/accounts.conf does"}
	}
	return nil
}

// watchAccounts ends the worker when others began to work with another account.
func watchAccounts(ctx context.Context, rt Runtime, conn *admin.Conn) error {
	ticker := time.NewTicker(accountsEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		for _, name := range rt.Connectors.Names() {
			connector, _ := rt.Connectors.Get(name)
			last, err := conn.LastAccount(ctx, name)
			if account := connectors.AccountOf(connector); err == nil && last.Sequence > 0 && last.Record.Account != account {
				return &startError{
					fmt.Errorf("provider %s: workers use the account %q since %s; this one has %q",
						name, last.Record.Account, last.StoredAt.UTC().Format(time.RFC3339), account),
					"give all workers the same configuration",
				}
			}
		}
	}
}
