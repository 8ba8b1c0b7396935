package teemopay

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/check"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
)

// kindName names this connector in configuration.
const kindName = "teemopay"

// Kind makes connectors from configuration, see [Settings].
var Kind = connectors.Kind{Name: kindName, New: newFromConfiguration}

func newFromConfiguration(provider string, decode func(settings any) error, now func() time.Time) (connectors.Connector, error) {
	var s Settings
	if err := decode(&s); err != nil {
		return nil, fmt.Errorf("settings of %s: %w", provider, err)
	}
	c, err := New(provider, s, httpcall.NewClient(httpcall.Options{}), now, rand.Reader)
	if err != nil {
		return nil, err // not c: a nil *Connector in an interface is not nil
	}
	return c, nil
}

// Connector is one account at TeemoPay. It is constant after New and safe for concurrent use.
type Connector struct {
	settings Settings
	keys     keys
	base     string // without a slash at the end
	client   *http.Client
	now      func() time.Time
	random   io.Reader
	traits   connectors.Traits
	forms    map[string]check.Form // by method
}

var (
	_ connectors.Connector       = (*Connector)(nil)
	_ connectors.Webhooks        = (*Connector)(nil)
	_ connectors.Checker         = (*Connector)(nil)
	_ connectors.Describer       = (*Connector)(nil)
	_ connectors.BankLister      = (*Connector)(nil)
	_ connectors.Balancer        = (*Connector)(nil)
	_ connectors.StatementReader = (*Connector)(nil)
)

// New returns the connector of the account called provider. client must come from
// [httpcall.NewClient]; now gives the time of the request headers, which TeemoPay compares with its own
// clock (30 s); random gives the nonces and must be safe for concurrent use, like crypto/rand.Reader.
// The error names every problem of the settings, joined, and no secret.
func New(provider string, s Settings, client *http.Client, now func() time.Time, random io.Reader) (*Connector, error) {
	k, err := s.validate()
	if err != nil {
		return nil, fmt.Errorf("settings of %s: %w", provider, err)
	}
	forms := map[string]check.Form{methodBank: payoutForm(), methodBankKYC: payoutForm()}
	for _, method := range []string{methodVA, methodKYCVA, methodKakaoPay, methodTossPay} {
		forms[method] = depositForm(method)
	}
	return &Connector{
		forms:    forms,
		settings: s, keys: k, base: strings.TrimRight(s.BaseURL, "/"), client: client, now: now, random: random,
		traits: connectors.Traits{
			Kind:           kindName,
			Account:        s.account(),
			Merchant:       s.AppCode,
			Endpoints:      []string{s.BaseURL},
			Operations:     payment.Operations(),
			Currencies:     []string{"KRW"}, // pay-in page: amount
			MaxOrderLength: 32,              // pay-in page: merchantOrderNo
			Methods: map[payment.Operation][]string{
				payment.Deposit: {methodVA, methodKYCVA, methodKakaoPay, methodTossPay}, // korea/payin/create
				payment.Payout:  {methodBank, methodBankKYC},                            // korea/payout/create
			},
			RefusesDuplicates:    true, // pay-in page: code 426
			RefusalLeavesNoOrder: s.RefusalLeavesNoOrder,
			OneReference:         true, // tradeNo is the platform's number of the order (pay-in page; korea/payin/query)
			SettlingDelay:        s.SettlingDelay,
		},
	}, nil
}

// Traits returns what the documents promise; the settling delay is an assumption, see [Settings].
func (c *Connector) Traits() connectors.Traits { return c.traits }

// Form returns what the provider's pages say that it takes, without what could not be read back.
func (c *Connector) Form(op payment.Operation, method, _ string) (check.Form, bool) {
	form, ok := c.forms[method]
	return form, ok && slices.Contains(c.traits.Methods[op], method)
}

// Check refuses what the provider's pages say it would refuse, and what could not be read back.
func (c *Connector) Check(cmd payment.Command) error { return connectors.CheckForm(c, cmd) }

// Submit sends one create request. A command that does not pass [connectors.Check] is not sent.
func (c *Connector) Submit(ctx context.Context, cmd payment.Command) (payment.Observation, error) {
	if err := connectors.Check(c, cmd); err != nil {
		return payment.Observation{}, notSent(payment.ReasonInvalid, err)
	}
	path, body := payoutPath, any(c.payoutRequest(cmd))
	if cmd.Operation == payment.Deposit {
		request, err := c.depositRequest(cmd)
		if err != nil {
			return payment.Observation{}, notSent(payment.ReasonExpired, err)
		}
		path, body = depositPath, request
	}
	reply, err := c.call(ctx, path, body)
	if err != nil {
		return payment.Observation{}, fmt.Errorf("submit %s: %w", cmd.Ref, err)
	}
	o, err := c.submitted(cmd, reply)
	if err != nil {
		return payment.Observation{}, fmt.Errorf("submit %s: %w", cmd.Ref, err)
	}
	return o, nil
}

// call signs the request and sends it once, with a fresh nonce and time.
func (c *Connector) call(ctx context.Context, path string, request any) (httpcall.Reply, error) {
	nonce, err := c.nonce()
	if err != nil {
		return httpcall.Reply{}, notSent(payment.ReasonUnreachable, err)
	}
	body, err := c.signed(request, nonce)
	if err != nil {
		return httpcall.Reply{}, notSent(payment.ReasonUnreachable, err)
	}
	return httpcall.Send(ctx, c.client, httpcall.Request{
		Method: http.MethodPost,
		URL:    c.base + path,
		Header: http.Header{ // spelled as on the pay-in page, which Header.Set would change
			"app_code":     {c.settings.AppCode},
			"country":      {c.settings.Country},
			"nonce":        {nonce},
			"timestamp":    {strconv.FormatInt(c.now().UnixMilli(), 10)},
			"Content-Type": {"application/json"},
		},
		Body: body,
	})
}

// nonce returns 32 characters that do not repeat (guides/authentication).
func (c *Connector) nonce() (string, error) {
	var random [16]byte
	if _, err := io.ReadFull(c.random, random[:]); err != nil {
		return "", errors.New("no random bytes for the nonce")
	}
	return hex.EncodeToString(random[:]), nil
}

// signed encodes a request and adds its signature as the last field.
func (c *Connector) signed(request any, nonce string) ([]byte, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(request); err != nil {
		return nil, err
	}
	unsigned := bytes.TrimSpace(body.Bytes())
	sign, err := Sign(c.keys.private, unsigned, nonce)
	if err != nil {
		return nil, err
	}
	open := bytes.TrimSuffix(unsigned, []byte("}"))
	if len(open) > 1 { // the balance is asked with a signature alone
		open = append(open, ',')
	}
	return append(open, `"`+signName+`":"`+sign+`"}`...), nil // base64 needs no escapes
}

func notSent(code string, err error) *connectors.Error {
	return &connectors.Error{Class: connectors.NotSent, Code: code, Evidence: "no request was made", Err: err}
}
