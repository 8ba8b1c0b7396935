package ecommpay

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/connectors"
	"payonce/pkg/connectors/check"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

// kindName names this connector in configuration.
const kindName = "ecommpay"

// Kind makes connectors from configuration, see [Settings].
var Kind = connectors.Kind{Name: kindName, New: newFromConfiguration}

func newFromConfiguration(provider string, decode func(settings any) error, now func() time.Time) (connectors.Connector, error) {
	var s Settings
	if err := decode(&s); err != nil {
		return nil, fmt.Errorf("settings of %s: %w", provider, err)
	}
	c, err := New(provider, s, httpcall.NewClient(httpcall.Options{}), now)
	if err != nil {
		return nil, err // not c: a nil *Connector in an interface is not nil
	}
	return c, nil
}

// The methods of a deposit (Korean banks page). Whether the customer is sent to a bank's page or shown an account
// to transfer to is agreed with the provider for the whole project; the method must be one that fits it.
const (
	// MethodPage makes a signed link to the provider's Payment Page and no request. It is the default:
	// nothing can be in doubt about it, and the page itself asks for what is missing, sends the customer
	// on or shows where to transfer to.
	MethodPage = "page"
	// MethodPageDirect does the same for a project without redirection: the provider then has no use for
	// the customer's email address, and the link is made without it.
	MethodPageDirect = "page_direct"
	// MethodGateRedirect orders a deposit through Gate. Where to send the customer comes in a callback.
	MethodGateRedirect = "gate_redirect"
	// MethodGate orders a deposit or a payout through Gate. Where the customer of a deposit must transfer
	// the money to comes in a callback.
	MethodGate = "gate"
)

// The times of payouts (Operations support of the Korean banks page): when a result is usually there, and the longest
// time "between the moment a payment is initiated" and its result, after which the platform declines it. The latter is
// in any time: nothing is said of the provider's hours.
const (
	basicTime = 10 * time.Minute
	threshold = 48 * time.Hour
)

var depositMethods = []string{MethodPage, MethodPageDirect, MethodGateRedirect, MethodGate}

// Connector is one project at ECommPay. It is safe for concurrent use; after New nothing changes but the
// lists of banks that it remembers.
type Connector struct {
	settings Settings
	keys     []secret.Value // the current one first
	gate     string         // without a slash at the end
	client   *http.Client
	now      func() time.Time
	traits   connectors.Traits
	forms    map[payment.Operation]map[string]check.Form // by method

	mu    sync.Mutex
	lists map[payment.Operation]bankList
}

var (
	_ connectors.Connector  = (*Connector)(nil)
	_ connectors.Webhooks   = (*Connector)(nil)
	_ connectors.Checker    = (*Connector)(nil)
	_ connectors.Describer  = (*Connector)(nil)
	_ connectors.Clarifier  = (*Connector)(nil)
	_ connectors.BankLister = (*Connector)(nil)
)

// New returns the connector of the account called provider. client must come from [httpcall.NewClient];
// now dates the lists of banks and the links to the Payment Page. The error names every problem of the settings, joined, and no secret.
func New(provider string, s Settings, client *http.Client, now func() time.Time) (*Connector, error) {
	if err := s.validate(); err != nil {
		return nil, fmt.Errorf("settings of %s: %w", provider, err)
	}
	methods := append([]string{s.DepositMethod}, slices.DeleteFunc(slices.Clone(depositMethods), func(m string) bool { return m == s.DepositMethod })...)
	c := &Connector{
		settings: s, keys: append([]secret.Value{s.Secret}, s.SecretsPrevious...), gate: strings.TrimRight(s.GateURL, "/"),
		client: client, now: now, lists: map[payment.Operation]bankList{},
		traits: connectors.Traits{
			Kind:       kindName,
			Account:    s.account(),
			Merchant:   strconv.FormatInt(s.ProjectID, 10),
			Endpoints:  []string{s.GateURL, s.PaymentPageURL},
			Operations: payment.Operations(),
			Currencies: []string{"KRW"}, // Korean banks page
			Hours:      calendar.ECommPayKorea(),
			// Operations support of the Korean banks page, for payouts. For purchases it names the account manager.
			BasicTime: basicTime, Threshold: threshold, ThresholdInWallClock: true,
			// A payout that is not done at a closing waits until the next opening, which over a weekend is longer than the
			// threshold, and would be declined by the provider itself. A deposit is the customer's transfer: no time is
			// documented for it, and one that is declined costs neither side anything.
			MarginBeforeClosing: map[payment.Operation]time.Duration{payment.Payout: basicTime},
			// What is confirmed on the page is registered at once, for all that the pages say; how soon a lookup
			// knows it, none says. The longest time that the provider names for anything is long enough.
			PageGrace:      threshold + s.SettlingDelay,
			MaxOrderLength: 64, // ours; the provider documents no shorter one
			Methods: map[payment.Operation][]string{
				payment.Deposit: methods,
				payment.Payout:  {MethodGate},
			},
			RefusesDuplicates:    true, // code 3041
			RefusalLeavesNoOrder: *s.RefusalLeavesNoOrder,
			SettlingDelay:        s.SettlingDelay,
		},
	}
	c.forms = c.makeForms()
	return c, nil
}

// Traits returns what the documents promise; the settling delay is an assumption, see [Settings].
func (c *Connector) Traits() connectors.Traits { return c.traits }

// method returns the method of a command, with the default filled in.
func (c *Connector) method(cmd payment.Command) string {
	if cmd.Method == "" {
		return c.traits.Methods[cmd.Operation][0]
	}
	return cmd.Method
}

// Submit makes a link to the Payment Page, or sends one request to Gate. A command that does not pass
// [connectors.Check] is not sent. Accepted by Gate means only that the request will be processed (FAQ
// "Results"); what the customer must do and the outcome come in callbacks.
func (c *Connector) Submit(ctx context.Context, cmd payment.Command) (payment.Observation, error) {
	if err := connectors.Check(c, cmd); err != nil {
		return payment.Observation{}, notSent(payment.ReasonInvalid, err)
	}
	accepted := payment.Observation{Kind: payment.Accepted, Source: payment.FromSubmit}
	switch m := c.method(cmd); m {
	case MethodPage, MethodPageDirect:
		accepted.PageClosesAt = c.pageCloses(cmd, c.now())
		accepted.Action = &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: http.MethodGet, URL: c.pageLink(cmd, accepted.PageClosesAt)}}
		return accepted, nil
	}
	path, request := c.gateRequest(cmd)
	reply, err := c.call(ctx, path, request)
	if err != nil {
		return payment.Observation{}, fmt.Errorf("submit %s: %w", cmd.Ref, err)
	}
	if refusal := c.accepted(cmd.Order, cmd, reply); refusal != nil {
		return payment.Observation{}, fmt.Errorf("submit %s: %w", cmd.Ref, refusal)
	}
	return accepted, nil
}

// call signs the request and sends it once.
func (c *Connector) call(ctx context.Context, path string, request gateRequest) (httpcall.Reply, error) {
	body, err := c.signed(request)
	if err != nil {
		return httpcall.Reply{}, notSent(payment.ReasonInvalid, err)
	}
	return httpcall.Send(ctx, c.client, httpcall.Request{
		Method: http.MethodPost,
		URL:    c.gate + path,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   body,
	})
}

func notSent(code string, err error) *connectors.Error {
	return &connectors.Error{Class: connectors.NotSent, Code: code, Evidence: "no request was made", Err: err}
}
