package diamondpay

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/check"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
)

// kindName names this connector in configuration.
const kindName = "diamondpay"

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

// Connector is one account at Diamond Pay. It is constant after New and safe for concurrent use.
type Connector struct {
	settings Settings
	base     string // without a slash at the end
	client   *http.Client
	now      func() time.Time
	traits   connectors.Traits
	statuses map[payment.Operation]statuses
	services []service // of deposits
	deposits map[service]check.Form
	payouts  check.Form
}

var (
	_ connectors.Connector = (*Connector)(nil)
	_ connectors.Webhooks  = (*Connector)(nil)
	_ connectors.Checker   = (*Connector)(nil)
	_ connectors.Describer = (*Connector)(nil)
	_ connectors.Balancer  = (*Connector)(nil)
)

// New returns the connector of the account called provider. client must come from
// [httpcall.NewClient]; now gives the request_time. The error names every problem of the settings, joined,
// and no secret.
func New(provider string, s Settings, client *http.Client, now func() time.Time) (*Connector, error) {
	if err := s.validate(); err != nil {
		return nil, fmt.Errorf("settings of %s: %w", provider, err)
	}
	services, _ := s.services()
	c := &Connector{
		services: services, deposits: map[service]check.Form{},
		settings: s, base: strings.TrimRight(s.BaseURL, "/"), client: client, now: now,
		traits: s.traits(), statuses: s.statusTables(),
	}
	for _, way := range services {
		c.deposits[way] = c.depositForm(way)
	}
	c.payouts = c.payoutForm()
	return c, nil
}

// Traits returns what the documents promise; the settling delay is an assumption, see [Settings].
func (c *Connector) Traits() connectors.Traits { return c.traits }

// Check refuses what the provider's pages say it would refuse, and what could not be read back.
func (c *Connector) Check(cmd payment.Command) error { return connectors.CheckForm(c, cmd) }

// Submit sends one create request. A command that does not pass [connectors.Check] is not sent.
func (c *Connector) Submit(ctx context.Context, cmd payment.Command) (payment.Observation, error) {
	if err := connectors.Check(c, cmd); err != nil {
		return payment.Observation{}, notSent(payment.ReasonInvalid, err)
	}
	path, request := c.depositRequest(cmd)
	if cmd.Operation == payment.Payout {
		path, request = payoutPath, c.payoutRequest(cmd)
	}
	body, err := c.signed(request)
	if err != nil {
		return payment.Observation{}, notSent(payment.ReasonInvalid, err)
	}
	reply, err := httpcall.Send(ctx, c.client, httpcall.Request{
		Method: http.MethodPost, URL: c.base + path, Body: body,
		Header: http.Header{"Content-Type": {"application/json;charset=utf-8"}}, // as the deposit pages write it
		// Answers that take a payment without naming it: those of payouts (apayasia create-withdraw) and the plain
		// ones of v1 (the KRW deposit page). Another's would send the customer to another's account.
		NewConnection: cmd.Operation == payment.Payout || c.way(cmd).version == v1,
	})
	if err != nil {
		return payment.Observation{}, fmt.Errorf("submit %s: %w", cmd.Ref, err)
	}
	o, err := c.submitted(cmd, reply)
	if err != nil {
		return payment.Observation{}, fmt.Errorf("submit %s: %w", cmd.Ref, err)
	}
	return o, nil
}

// get asks a question. It carries the platform's token and no signature (showdoc, order query).
func (c *Connector) get(ctx context.Context, path string) (httpcall.Reply, error) {
	header := http.Header{}
	if token := c.settings.Authorization.Reveal(); token != "" {
		header["Authorization"] = []string{token} // no "Bearer" before it
	}
	return httpcall.Send(ctx, c.client, httpcall.Request{Method: http.MethodGet, URL: c.base + path, Header: header})
}

// signed encodes a request and adds its signature as the last fields. MD5 is what a request without a
// sign_type is signed with.
func (c *Connector) signed(request any) ([]byte, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(request); err != nil {
		return nil, err
	}
	unsigned := bytes.TrimSpace(body.Bytes())
	sign, err := Sign(c.settings.SignType, c.settings.Secret.Reveal(), unsigned)
	if err != nil {
		return nil, err
	}
	open := bytes.TrimSuffix(unsigned, []byte("}"))
	if c.settings.SignType == HMACSHA256 {
		open = append(open, `,"`+signTypeName+`":"`+HMACSHA256+`"`...)
	}
	return append(open, `,"`+signName+`":"`+sign+`"}`...), nil
}

func notSent(code string, err error) *connectors.Error {
	return &connectors.Error{Class: connectors.NotSent, Code: code, Evidence: "no request was made", Err: err}
}
