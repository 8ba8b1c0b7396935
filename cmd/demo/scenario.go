package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// teller plays the scenario and prints it as it happens.
type teller struct {
	out   io.Writer
	began time.Time
	stack *stack
	// expected is the outcome that each order of the scenario must have in the end.
	expected []expectation
}

type expectation struct {
	ref    payment.Ref
	status payment.Status
}

// of is an order of the account that most of the scenario is about.
func of(order string) payment.Ref { return payment.Ref{Provider: provider, Order: order} }

// act is one part of the scenario.
type act struct {
	title string
	play  func(context.Context, *teller) error
}

func scenario() []act {
	return []act{
		{"A deposit by HTTP. The customer gets an account number and transfers the money.", depositByHTTP},
		{"A deposit by NATS: plain JSON published to deposit.requested.", depositByNATS},
		{"A payout.", payoutByHTTP},
		{"A payout that the bank declines.", declinedPayout},
		{"The same command again, by HTTP and by NATS, and another one under the same order number.", duplicates},
		{"The provider takes a deposit, and its reply is lost.", lostReply},
		{"A worker is killed with -9 while the provider works on its call.", killedWorker},
		{"The provider's webhook comes before the reply to the call.", earlyWebhook},
		{"Every provider and every way of paying, in both currencies.", everyVariant},
		{"The provider wants to know more before it takes the money.", clarified},
		{"Bad input: a forged webhook, an amount of half a won, and garbage.", badInput},
	}
}

// say prints a line with the time, and further ones below it where the terminal may be too narrow.
func (t *teller) say(format string, args ...any) {
	before := fmt.Sprintf("%6.1fs   ", time.Since(t.began).Seconds())
	for _, line := range wrap(fmt.Sprintf(format, args...), scenarioWidth-len(before)) {
		fmt.Fprintln(t.out, before+line)
		before = strings.Repeat(" ", len(before))
	}
}

func (t *teller) introduce() {
	t.say("The system is up: nats-server with JetStream on disk, miniredis, the provider's sandbox,")
	t.say("two workers (pids %d and %d), an archive, a ledger, a console, and the ingress", t.stack.workers[0].Pid(), t.stack.workers[1].Pid())
	t.say("at %s. The console, for as long as this runs:", t.stack.ingress)
	t.say("%s", t.stack.link())
}

func (t *teller) tell(ctx context.Context) error {
	for i, act := range scenario() {
		fmt.Fprintf(t.out, "\n%d. %s\n", i+1, act.title)
		if err := act.play(ctx, t); err != nil {
			t.say("This is not as it must be: %v", err)
			return fmt.Errorf("part %d: %w", i+1, err)
		}
	}
	return nil
}

// expect waits for the ledger's news of an order and checks it.
func (t *teller) expect(ctx context.Context, ref payment.Ref, status payment.Status) error {
	t.expected = append(t.expected, expectation{ref, status})
	p, err := t.stack.ledger.outcome(ctx, ref)
	if err != nil {
		return err
	}
	if p.Status != status {
		return fmt.Errorf("%s ended as %s, not as %s", ref, p.Status, status)
	}
	what := "payment.settled, " + p.SettledAmount.String()
	if status == payment.Failed {
		what = fmt.Sprintf("payment.failed, %s: %s", p.Reason.Code, p.Reason.Message)
	}
	t.say("ledger: %s", what)
	return nil
}

// post sends a command and checks the status of the answer.
func (t *teller) post(ctx context.Context, path, body string, status int) (answer, error) {
	a, err := t.stack.request(ctx, http.MethodPost, path, body, nil)
	if err == nil && a.status != status {
		err = fmt.Errorf("POST %s: status %d, not %d (%s)", path, a.status, status, a.view.Detail)
	}
	return a, err
}

// instructions waits for the account that the customer must pay to.
func (t *teller) instructions(ctx context.Context, order string) error {
	p, err := t.stack.get(ctx, of(order))
	if err != nil {
		return err
	}
	if p.Action == nil || p.Action.Transfer == nil {
		return fmt.Errorf("%s is %s and has no transfer instructions", order, p.Status)
	}
	bank := p.Action.Transfer.BankName
	if bank == "" {
		bank = "the bank" // the provider's lookup does not repeat the bank's name
	}
	t.say("%s: transfer %s to account %s at %s", p.Status, p.Amount, p.Action.Transfer.AccountNumber, bank)
	return nil
}

// pay is the customer's transfer.
func (t *teller) pay(ctx context.Context, order string) error {
	if err := t.stack.Sandbox.Pay(provider, order, 0); err != nil {
		return err
	}
	t.say("the customer has paid; the provider sends its signed webhook")
	return t.expect(ctx, of(order), payment.Settled)
}

func depositByHTTP(ctx context.Context, t *teller) error {
	if _, err := t.post(ctx, "/v1/deposits", deposit("D-1001", "10000"), http.StatusAccepted); err != nil {
		return err
	}
	t.say("POST /v1/deposits: 202, /v1/payments/%s/D-1001", provider)
	if err := t.instructions(ctx, "D-1001"); err != nil {
		return err
	}
	return t.pay(ctx, "D-1001")
}

func depositByNATS(ctx context.Context, t *teller) error {
	if err := t.stack.publish(ctx, events.ShortSubject(payment.Deposit), deposit("D-1002", "25000")); err != nil {
		return err
	}
	t.say("published, with the broker's acknowledgement")
	if _, err := t.stack.Sandbox.WaitFor(ctx, provider, "D-1002", sandbox.ChargedTimes(1)); err != nil {
		return err
	}
	if err := t.instructions(ctx, "D-1002"); err != nil {
		return err
	}
	return t.pay(ctx, "D-1002")
}

func payoutByHTTP(ctx context.Context, t *teller) error {
	if _, err := t.post(ctx, "/v1/payouts", payout("P-2001", "70000"), http.StatusAccepted); err != nil {
		return err
	}
	t.say("POST /v1/payouts: 202")
	return t.expect(ctx, of("P-2001"), payment.Settled)
}

func declinedPayout(ctx context.Context, t *teller) error {
	if _, err := t.post(ctx, "/v1/payouts", payout("P-x-decline-2002", "80000"), http.StatusAccepted); err != nil {
		return err
	}
	return t.expect(ctx, of("P-x-decline-2002"), payment.Failed)
}

func duplicates(ctx context.Context, t *teller) error {
	a, err := t.post(ctx, "/v1/deposits", deposit("D-1001", "10000"), http.StatusAccepted)
	if err != nil {
		return err
	}
	if !a.view.Duplicate || a.view.Status != payment.Settled {
		return fmt.Errorf("the answer does not say that it is a duplicate: %+v", a.view)
	}
	t.say("POST again: 202, duplicate: true, and the payment as it stands: %s", a.view.Status)
	if err := t.stack.publish(ctx, events.ShortSubject(payment.Deposit), deposit("D-1001", "10000")); err != nil {
		return err
	}
	t.say("published again: the worker finds the payment and does nothing")
	if _, err := t.post(ctx, "/v1/deposits", deposit("D-1001", "99999"), http.StatusConflict); err != nil {
		return err
	}
	t.say("POST of another amount under D-1001: 409, the first payment is untouched")
	return nil
}

func lostReply(ctx context.Context, t *teller) error {
	const order = "D-x-drop-1003"
	if _, err := t.post(ctx, "/v1/deposits", deposit(order, "30000"), http.StatusAccepted); err != nil {
		return err
	}
	if _, err := t.stack.Sandbox.WaitFor(ctx, provider, order, sandbox.ChargedTimes(1)); err != nil {
		return err
	}
	t.say("the provider has the order, and drops the connection without an answer")
	if _, err := t.stack.Sandbox.WaitFor(ctx, provider, order, sandbox.Queried(1)); err != nil {
		return err
	}
	t.say("in_doubt: the worker asks the provider by our order number, and does not send again")
	if err := t.instructions(ctx, order); err != nil {
		return err
	}
	return t.pay(ctx, order)
}

func killedWorker(ctx context.Context, t *teller) error {
	const order = "D-x-hang-1004"
	if _, err := t.post(ctx, "/v1/deposits", deposit(order, "40000"), http.StatusAccepted); err != nil {
		return err
	}
	if _, err := t.stack.Sandbox.WaitFor(ctx, provider, order, sandbox.ChargedTimes(1)); err != nil {
		return err
	}
	victim, err := t.stack.ownerOf(order)
	if err != nil {
		return err
	}
	victim.Kill()
	t.say("the provider has the order; %s (pid %d), which called it, is dead", victim.name, victim.Pid())
	if err := t.stack.Sandbox.Release(provider, order); err != nil {
		return err
	}
	t.stack.startWorker()
	t.say("a new worker starts; the broker will deliver the command again")
	if err := t.instructions(ctx, order); err != nil {
		return err
	}
	t.say("the intent stood in the log, so the order was looked up and not sent again")
	return t.pay(ctx, order)
}

func earlyWebhook(ctx context.Context, t *teller) error {
	const order = "P-x-early-callback-2003"
	if _, err := t.post(ctx, "/v1/payouts", payout(order, "50000"), http.StatusAccepted); err != nil {
		return err
	}
	if err := t.expect(ctx, of(order), payment.Settled); err != nil {
		return err
	}
	t.say("the reply, which says \"in payment\", came later and changed nothing")
	return nil
}

func badInput(ctx context.Context, t *teller) error {
	forged, err := t.stack.request(ctx, http.MethodPost, "/webhooks/"+provider,
		`{"merchantOrderNo":"D-1001","tradeNo":"TS1","paymentOrderNo":"TSO1","status":2,"paymentAmount":"99.00","sign":"Zm9yZ2Vk"}`,
		http.Header{"Nonce": {"0123456789abcdef0123456789abcdef"}, "Timestamp": {"1"}, "Country": {"KR"}, "Appcode": {"test-app"}})
	if err != nil {
		return err
	}
	if forged.status != http.StatusUnauthorized {
		return fmt.Errorf("a forged webhook got status %d", forged.status)
	}
	t.say("a webhook with a forged signature: 401")
	a, err := t.post(ctx, "/v1/payouts", payout("P-2004", "10.5"), http.StatusUnprocessableEntity)
	if err != nil {
		return err
	}
	t.say("10.5 won by HTTP: 422, %s: %s", a.view.Field, a.view.Detail)
	if err := t.stack.publish(ctx, events.CommandSubject(payment.Payout, payment.Ref{Provider: provider, Order: "P-2005"}), payout("P-2005", "10.5")); err != nil {
		return err
	}
	if err := t.expect(ctx, of("P-2005"), payment.Failed); err != nil {
		return err
	}
	if err := t.stack.publish(ctx, events.ShortSubject(payment.Deposit), "not even JSON"); err != nil {
		return err
	}
	return t.deadLetters(ctx, 2)
}

// deadLetters waits until so many dead letters are kept, and shows them.
func (t *teller) deadLetters(ctx context.Context, want int) error {
	for {
		deadLetters, err := t.stack.Log.DeadLetters(ctx, 0, 10)
		if err != nil {
			return err
		}
		if len(deadLetters) >= want {
			for _, deadLetter := range deadLetters {
				t.say("dead letter: %s: %s (%s)", deadLetter.Reason, deadLetter.Detail, deadLetter.Message.Subject)
			}
			return nil
		}
		select { // dead letters have no watcher; ask again in a moment
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%d dead letters instead of %d: %w", len(deadLetters), want, ctx.Err())
		}
	}
}
