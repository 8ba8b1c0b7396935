package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"payonce/pkg/calendar"
	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// decision is what a person decides about one payment.
type decision string

// The decisions.
const (
	resolving decision = "resolve"
	retrying  decision = "retry"
	skipping  decision = "skip"
	unmasking decision = "unmask"
)

// decidePage asks before something is done about one payment, as it stands.
type decidePage struct {
	asked
	What     decision
	Payment  payment.Payment
	Sequence uint64 // of the event after which it is written
	// Outcome and Amount are of resolving. Differs asks once more, where another amount than the ordered one moved.
	Outcome, Amount, Currency string
	Differs                   bool
	Second                    bool // a second person must approve it
	// Plan is of skipping. NoOperation wants to know the operation.
	Plan        *operator.SkipPlan
	NoOperation bool
	// Shown is of unmasking: what the customer must do.
	Shown []*payment.Action
}

func (c *Console) decide(what decision) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
		defer cancel()
		page, err := c.toDecide(ctx, r, what)
		c.showDecide(w, r, http.StatusOK, page, err)
	}
}

var decideTitles = map[decision]string{resolving: "Resolve", retrying: "Send again", skipping: "Step over an event", unmasking: "Unmask"}

func (c *Console) showDecide(w http.ResponseWriter, r *http.Request, status int, page decidePage, err error) {
	switch {
	case errors.Is(err, events.ErrNoPayment):
		c.notFound(w, r)
	case errors.Is(err, operator.ErrNotNow):
		c.tellAndGo(w, r, page.Back, notice{Bad: true, Text: c.say(r)("This is not possible as the payment stands."), Lines: []string{plain(operator.LeftAlone(err))}})
	case err != nil:
		c.failed(w, r, err)
	default:
		c.render(w, r, status, "decide", c.say(r)(decideTitles[page.What])+" "+page.Payment.Order, page)
	}
}

// toDecide reads the payment and what can be decided. The error is operator.ErrNotNow where nothing can.
func (c *Console) toDecide(ctx context.Context, r *http.Request, what decision) (decidePage, error) {
	ref := payment.Ref{Provider: r.PathValue("provider"), Order: r.PathValue("order")}
	page := decidePage{What: what, Outcome: r.Form.Get("outcome")}
	if ref.Validate() != nil {
		return page, events.ErrNoPayment
	}
	page.asked = askedBy(r, paymentPath(ref.Provider, ref.Order))
	if what == skipping {
		return page, c.planSkip(ctx, r, ref, &page)
	}
	var err error
	if page.Payment, page.Sequence, err = c.o.Last.Last(ctx, ref); err != nil {
		return page, err
	}
	switch possible := map[decision]bool{
		resolving: resolvable(page.Payment.Status), retrying: retryable(page.Payment, c.o.Now()),
		unmasking: page.Payment.Action != nil || page.Payment.WithheldAction != nil,
	}; {
	case !possible[what]:
		return page, operator.ErrNotNow
	case what == resolving:
		known, _ := operator.SettledAmount(page.Payment, "")
		page.Amount, page.Currency = r.Form.Get("amount"), known.Currency
		if page.Amount == "" && !known.IsZero() {
			page.Amount = known.Value()
		}
		page.Second = c.o.Acting.Actions.Approvals.Needed(page.Payment.Amount)
	}
	return page, nil
}

// planSkip says what stepping over the last event of a payment would write.
func (c *Console) planSkip(ctx context.Context, r *http.Request, ref payment.Ref, page *decidePage) error {
	records, err := c.o.Log.History(ctx, ref)
	if err != nil {
		return err
	}
	who := actor(r)
	if who.Why == "" {
		who.Why = "-" // nothing is written yet
	}
	last := records[len(records)-1]
	page.Sequence = last.Sequence
	plan, err := c.o.Acting.Actions.Service.PlanSkip(ctx, records, operator.Skip{Ref: ref, Sequence: last.Sequence, Operation: payment.Operation(r.Form.Get("operation"))}, who)
	page.Payment.Ref = ref
	if errors.Is(err, operator.ErrNotNow) && last.Unreadable != "" {
		page.NoOperation = true
		return nil
	}
	if err != nil {
		return err
	}
	page.Plan, page.Payment = &plan, plan.Before
	page.Payment.Ref = ref
	return nil
}

// doDecide does what was decided about the payment that the person saw.
func (c *Console) doDecide(what decision) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
		defer cancel()
		page, err := c.toDecide(ctx, r, what)
		if err != nil {
			c.showDecide(w, r, http.StatusOK, page, err)
			return
		}
		who, say := actor(r), c.say(r)
		again := func(status int, problem string) {
			page.Problem = say(problem)
			c.showDecide(w, r, status, page, nil)
		}
		if strconv.FormatUint(page.Sequence, 10) != r.PostForm.Get("sequence") {
			again(http.StatusConflict, "The payment has changed meanwhile. Nothing was written. It stands now as follows.")
			return
		}
		if who.Validate() != nil {
			again(http.StatusBadRequest, reasonMissing)
			return
		}
		var decided error
		switch what {
		case resolving:
			d, problem := page.resolution(r)
			if problem != "" {
				again(http.StatusBadRequest, problem)
				return
			}
			decided = c.o.Acting.Actions.Resolve(ctx, page.Payment, page.Sequence, who, d)
		case retrying:
			decided = c.o.Acting.Actions.Retry(ctx, page.Payment, page.Sequence, who)
		case skipping:
			if page.Plan == nil {
				again(http.StatusBadRequest, "Say whether it is a deposit or a payout.")
				return
			}
			decided = c.o.Acting.Actions.StepOver(ctx, *page.Plan, who)
		}
		c.log(ctx, events.Action(what), who, page.Payment.Provider, 1, decided)
		c.tellAndGo(w, r, page.Back, c.said(r, decided, say("Done. The audit log has it under your name.")))
	}
}

// resolution reads what a person decided. Another amount than the ordered one must be said twice.
func (p *decidePage) resolution(r *http.Request) (operator.Decision, string) {
	if p.Outcome != "settled" && p.Outcome != "failed" {
		return operator.Decision{}, "Choose what happened to the money."
	}
	d := operator.Decision{Settled: p.Outcome == "settled"}
	if !d.Settled {
		return d, ""
	}
	text := strings.TrimSpace(p.Amount)
	if p.Payment.Amount.IsZero() && text != "" {
		text += " " + r.PostForm.Get("currency")
	}
	amount, err := operator.SettledAmount(p.Payment, text)
	if err != nil || amount.Minor <= 0 {
		return d, "The amount must be a positive number in the payment's currency. Choose that no money moved if none did."
	}
	d.Amount = amount
	if p.Differs = !p.Payment.Amount.IsZero() && amount != p.Payment.Amount; p.Differs && r.PostForm.Get("differs") != amount.String() {
		p.Amount = amount.Value()
		return d, "This is another amount than the ordered one. Ledgers will book it. Send the form again if it is meant."
	}
	return d, ""
}

// Meant is the amount that the page asks for once more.
func (p decidePage) Meant() string { return p.Amount + " " + p.Payment.Amount.Currency }

// unmask shows what the customer must do. Who looked, and why, is in AUDIT before it is shown.
func (c *Console) unmask(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	page, err := c.toDecide(ctx, r, unmasking)
	if err != nil {
		c.showDecide(w, r, http.StatusOK, page, err)
		return
	}
	who := actor(r)
	if who.Validate() != nil {
		page.Problem = c.say(r)(reasonMissing)
		c.showDecide(w, r, http.StatusBadRequest, page, nil)
		return
	}
	s := operator.Timeline{Ref: page.Payment.Ref, Payment: page.Payment}
	err = c.o.Acting.Actions.Reveal(ctx, c.o.Acting.Reader, &s, who)
	c.log(ctx, events.ActionUnmask, who, page.Payment.Provider, 1, err)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	for _, a := range []*payment.Action{s.Payment.Action, s.Payment.WithheldAction} {
		if a != nil {
			page.Shown = append(page.Shown, a)
		}
	}
	c.showDecide(w, r, http.StatusOK, page, nil)
}

// hoursOf are the opening hours of a payment's provider.
func (c *Console) hoursOf(p payment.Payment) (calendar.Hours, bool) {
	for _, provider := range c.o.Providers {
		if provider.Name == p.Provider && p.Operation.Valid() {
			return provider.Hours(p.Operation), true
		}
	}
	return calendar.Hours{}, false
}
