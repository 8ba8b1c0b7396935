package connectortest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

// acme is an honest connector of a provider that does not exist. It can be made careless in one way: each
// branch on m is a mistake that a developer could make.
type acme struct {
	base   string
	key    secret.Value
	old    secret.Value
	client *http.Client
	now    func() time.Time
	m      mistake
	page   bool // Submit makes no request, but the address of a page

	plainKey string     // only for showsKey
	mu       sync.Mutex // only for sharesNonce
	nonce    string
}

const (
	acmeKey       = "acme-current-secret-4711"
	acmeOldKey    = "acme-rotated-secret-4712"
	acmeTolerance = 5 * time.Minute
	acmeSettling  = time.Minute
	acmeLimit     = 1 << 20
)

func (c *acme) Traits() connectors.Traits {
	t := connectors.Traits{
		Kind: "acme", Operations: []payment.Operation{payment.Deposit}, Currencies: []string{"KRW"}, MaxOrderLength: 20,
		Methods: map[payment.Operation][]string{payment.Deposit: {"card"}}, RefusesDuplicates: true, SettlingDelay: acmeSettling,
		Account: "at " + c.base, Merchant: "m-1", Endpoints: []string{c.base},
	}
	if c.m == noMerchant {
		t.Merchant, t.Endpoints = "", nil
	}
	if c.m == noAccount {
		t.Account = ""
	}
	if c.m == believesAtOnce {
		t.SettlingDelay = 0
	}
	if c.m == promisesMore {
		t.Operations = payment.Operations()
	}
	return t
}

func (c *acme) Check(cmd payment.Command) error {
	if cmd.Amount.Minor < 100 && c.m != noLimits {
		return &payment.FieldError{Field: "amount.value", Problem: "must be at least 100"}
	}
	if cmd.Amount.Minor > 5_000_000 {
		return &payment.FieldError{Field: "amount.value", Problem: "must be at most 5000000"}
	}
	return nil
}

type acmeRequest struct {
	Order  string      `json:"order"`
	Amount json.Number `json:"amount"` // won × 100
	Name   string      `json:"name"`
}

func (c *acme) Submit(ctx context.Context, cmd payment.Command) (payment.Observation, error) {
	unit := int64(100)
	if c.m == wrongUnit {
		unit = 1
	}
	name := cmd.Customer.Name
	if c.m == readsEnvironment && os.Getenv("LANG") != "" {
		name += " " + os.Getenv("LANG")
	}
	order := cmd.Order
	if c.m == cutsOrders {
		order = order[:min(16, len(order))]
	}
	body, err := json.Marshal(acmeRequest{order, json.Number(strconv.FormatInt(cmd.Amount.Minor*unit, 10)), name})
	if err != nil {
		return payment.Observation{}, err
	}
	if c.page {
		return c.address(ctx, order, cmd.Amount.Minor*unit)
	}
	reply, err := c.send(ctx, "POST", "/payments", body)
	if c.m == retries && err != nil && ctx.Err() == nil {
		reply, err = c.send(ctx, "POST", "/payments", body)
	}
	if err != nil {
		return payment.Observation{}, c.failed(cmd, err)
	}
	return c.submitted(cmd, reply)
}

// address sends the customer to a page; no request is made.
func (c *acme) address(ctx context.Context, order string, amount int64) (payment.Observation, error) {
	if c.m == pageCalls {
		if _, err := c.send(ctx, "GET", "/pay", nil); err != nil {
			return payment.Observation{}, err
		}
	}
	query := fmt.Sprintf("order=%s&amount=%d", order, amount)
	sign := c.sign(query)
	if c.m == signsLess {
		sign = c.sign(order)
	}
	return payment.Observation{Kind: payment.Accepted, Source: payment.FromSubmit, Action: &payment.Action{
		Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: "https://pay.example.com/pay?" + query + "&sign=" + sign},
	}}, nil
}

// failed is a call that brought no answer.
func (c *acme) failed(cmd payment.Command, err error) error {
	e := *connectors.Classify(err)
	switch {
	case c.m == timeoutDeclines && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) && e.Class == connectors.InDoubt:
		e.Class, e.Code = connectors.Rejected, payment.ReasonDeclined
	case c.m == resetNotSent && !errors.Is(err, context.DeadlineExceeded):
		e.Class = connectors.NotSent
	case c.m == plainErrors:
		return fmt.Errorf("submit %s: connection failed", cmd.Ref)
	case c.m == leaksSecret:
		e.Message = "could not send with key " + c.key.Reveal()
	}
	return fmt.Errorf("submit %s: %w", cmd.Ref, &e)
}

func (c *acme) sign(text ...string) string {
	return hex.EncodeToString(acmeMAC(c.key.Reveal(), text...))
}

func acmeMAC(key string, text ...string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(strings.Join(text, "|")))
	return mac.Sum(nil)
}

func (c *acme) send(ctx context.Context, method, path string, body []byte) (httpcall.Reply, error) {
	nonce := rand.Text()
	if c.m == sharesNonce {
		c.mu.Lock()
		if c.nonce == "" {
			c.nonce = nonce
		}
		nonce = c.nonce
		c.mu.Unlock()
	}
	at := strconv.FormatInt(c.now().Unix(), 10)
	signed := string(body)
	if c.m == signsLess {
		signed = ""
	}
	header := http.Header{"Content-Type": {"application/json"}, "X-Nonce": {nonce}, "X-Time": {at}, "X-Sign": {c.sign(method, path, nonce, at, signed)}}
	switch c.m {
	case headerSpelling:
		delete(header, "X-Nonce")
		header["x-nonce"] = []string{nonce}
	case followsRedirects, unboundedReply, idempotencyKey, followsDeadline, leavesGoroutine:
		return c.sendCarelessly(ctx, method, path, header, body)
	}
	return httpcall.Send(ctx, c.client, httpcall.Request{Method: method, URL: c.base + path, Header: header, Body: body, ReplyLimit: acmeLimit})
}

// sendCarelessly uses Go's client as most programs do.
func (c *acme) sendCarelessly(ctx context.Context, method, path string, header http.Header, body []byte) (httpcall.Reply, error) {
	client := &http.Client{Transport: c.client.Transport}
	if c.m != followsRedirects {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	if c.m == followsDeadline {
		ctx = context.WithoutCancel(ctx)
	}
	if c.m == leavesGoroutine {
		go func(done <-chan struct{}) { <-done }(ctx.Done())
	}
	if c.m == idempotencyKey {
		header.Set("Idempotency-Key", "1")
	}
	var written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { written.Store(true) }})
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return httpcall.Reply{}, err
	}
	r.Header = header
	r.Header.Set("User-Agent", "payonce")
	fail := func(err error) (httpcall.Reply, error) {
		e := &connectors.Error{Code: payment.ReasonNoAnswer, Evidence: "the request was written", Err: err}
		if !written.Load() {
			e.Class, e.Code, e.Evidence = connectors.NotSent, payment.ReasonUnreachable, "nothing was written"
		}
		return httpcall.Reply{}, e
	}
	res, err := client.Do(r)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, acmeLimit+1))
	if c.m == unboundedReply && err == nil {
		// All is read, and what ends in blanks is parsed without most of them: to keep and parse tens of megabytes
		// takes half a minute under the race detector on a busy machine, and then timeout would end, not the rule.
		text = text[:min(len(text), acmeLimit)]
		_, err = io.Copy(io.Discard, res.Body)
	}
	if err != nil || len(text) > acmeLimit {
		return fail(errors.New("the reply is broken or too long"))
	}
	return httpcall.Reply{Status: res.StatusCode, Header: res.Header, Body: text}, nil
}

// acmeReply is every answer of the provider.
type acmeReply struct {
	Code   string      `json:"code"`
	Text   string      `json:"text"`
	Order  string      `json:"order"`
	Status string      `json:"status"`
	Amount json.Number `json:"amount"`
}

func acmeAmount(n json.Number) (payment.Money, error) {
	i, err := n.Int64()
	if err != nil || i%100 != 0 || i < 0 {
		return payment.Money{}, errors.New("no amount")
	}
	return payment.KRW(i / 100), nil
}

func (c *acme) doubt(code, text string) *connectors.Error {
	return &connectors.Error{Code: payment.ReasonIndeterminate, ProviderCode: code, Message: text, Evidence: "not documented"}
}

func (c *acme) submitted(cmd payment.Command, reply httpcall.Reply) (payment.Observation, error) {
	var none payment.Observation
	if reply.Status != 200 {
		e := c.doubt(fmt.Sprintf("http_%d", reply.Status), "")
		if c.m != noRetryAfter {
			e.RetryAfter, _ = httpcall.RetryAfter(reply.Header, c.now())
		}
		if reply.Status >= 500 && c.m == serverErrorNotSent {
			e.Class = connectors.NotSent
		}
		if reply.Status == 403 && c.m == forbiddenDeclines {
			e.Class = connectors.Rejected
		}
		return none, e
	}
	var r acmeReply
	if err := json.Unmarshal(reply.Body, &r); err != nil && c.m != readsAnything {
		return none, c.doubt("http_200", "no JSON")
	}
	if r.Code != "" {
		e := c.refused(r)
		if reply.Reused && c.m != secondAnswers {
			e = e.Unconfirmed()
		}
		return none, e
	}
	if r.Order != cmd.Order && c.m != ignoresOrder && c.m != readsAnything {
		return none, c.doubt("", "another order")
	}
	amount, err := acmeAmount(r.Amount)
	if err != nil && c.m != readsAnything {
		return none, c.doubt("", "no amount")
	}
	o := payment.Observation{Kind: payment.Accepted, Source: payment.FromSubmit, Amount: amount}
	if c.m == ignoresAmount {
		o.Amount = payment.Money{}
	}
	if c.m == sentIsLink {
		o.PageClosesAt = c.now().Add(time.Hour)
	}
	if c.m == acceptedIsPaid && r.Status == "created" {
		o.Kind = payment.Paid
	}
	switch {
	case r.Status == "created", c.m == anyStatusAccepted, c.m == readsAnything:
		return o, nil
	case r.Status == "declined":
		return none, &connectors.Error{Class: connectors.Rejected, Code: payment.ReasonDeclined, ProviderCode: r.Status, Evidence: "page 2"}
	}
	e := c.doubt(r.Status, "unknown status")
	e.Known = true
	return none, e
}

func (c *acme) refused(r acmeReply) *connectors.Error {
	text := []rune(r.Text)
	e := c.doubt(r.Code, string(text[:min(len(text), 8)]))
	switch {
	case c.m == longTexts && r.Code == "E1":
		e.Message = r.Text
		fallthrough
	case r.Code == "E1", c.m == anyCodeDeclines:
		e.Class, e.Code, e.Evidence = connectors.Rejected, payment.ReasonDeclined, "page 3"
	case r.Code == "E2":
		e.Known = c.m != duplicateDeclines
		if c.m == duplicateDeclines {
			e.Class, e.Code = connectors.Rejected, payment.ReasonDeclined
		}
	case r.Code == "E3":
		e.Class, e.Code, e.Evidence = connectors.Throttled, payment.ReasonThrottled, "page 3: not processed, come back later"
	}
	if c.m == noEvidence {
		e.Evidence = ""
	}
	return e
}

func (c *acme) Lookup(ctx context.Context, q connectors.Query) (payment.Observation, error) {
	method := "GET"
	if c.m == lookupCreates {
		method = "POST"
	}
	reply, err := c.send(ctx, method, "/payments/"+q.Order, nil)
	var r acmeReply
	switch {
	case err != nil:
		return payment.Observation{}, fmt.Errorf("look up %s: %w", q.Ref, connectors.Classify(err))
	case reply.Status == 404 && c.m == pageMissing:
		return c.unknownOrder(), nil
	case reply.Reused && c.m != secondUnknown && reply.Status == 200 && json.Unmarshal(reply.Body, &r) == nil && r.Code == "E4":
		return c.Lookup(httpcall.OwnConnection(ctx), q)
	case reply.Status != 200 || json.Unmarshal(reply.Body, &r) != nil:
		return payment.Observation{}, c.doubt(fmt.Sprintf("http_%d", reply.Status), "")
	case r.Code == "E4":
		return c.unknownOrder(), nil
	case r.Code != "" || r.Order != q.Order && c.m != lookupIgnoresOrder:
		return payment.Observation{}, c.doubt(r.Code, "")
	}
	return c.read(r, payment.FromLookup), nil
}

func (c *acme) unknownOrder() payment.Observation {
	o := payment.Observation{Kind: payment.Unknown, Source: payment.FromLookup, Settling: c.Traits().SettlingDelay}
	if c.m == unknownDeclines {
		o.Kind = payment.Declined
	}
	return o
}

// read reads the status of a lookup or a webhook.
func (c *acme) read(r acmeReply, source payment.Source) payment.Observation {
	amount, err := acmeAmount(r.Amount)
	o := payment.Observation{Kind: payment.Indeterminate, Source: source, Amount: amount, Known: true}
	if c.m == paidWithoutEcho {
		o.Amount = payment.Money{}
	}
	kind, documented := map[string]payment.Kind{"created": payment.Accepted, "paid": payment.Paid, "declined": payment.Declined}[r.Status]
	if c.m == anyStatusPaid && !documented {
		kind, documented = payment.Paid, true
	}
	if documented && err == nil {
		o.Kind, o.Known = kind, false
	}
	return o
}

func (c *acme) Webhook(header http.Header, body []byte, receivedAt time.Time) (connectors.Notice, error) {
	refuse := func(why connectors.WebhookRefusal) (connectors.Notice, error) {
		return connectors.Notice{}, &connectors.WebhookError{Refusal: why, Problem: "see above"}
	}
	if !c.fits(header, body) {
		return refuse(connectors.BadSignature)
	}
	at, err := strconv.ParseInt(header.Get("X-Time"), 10, 64)
	if (err != nil || receivedAt.Sub(time.Unix(at, 0)).Abs() > acmeTolerance) && c.m != anyTime {
		return refuse(connectors.StaleWebhook)
	}
	var r acmeReply
	if err := json.Unmarshal(body, &r); err != nil || !payment.ValidOrder(r.Order) {
		return refuse(connectors.BadWebhook)
	}
	return connectors.Notice{Order: r.Order, Operation: payment.Deposit, Observation: c.read(r, payment.FromWebhook), Answer: connectors.Answer{ContentType: "text/plain", Body: "OK"}}, nil
}

// fits reports whether the one signature of a webhook is made with one of our keys.
func (c *acme) fits(header http.Header, body []byte) bool {
	signs := header.Values("X-Sign")
	if c.m == anyWebhook {
		return true
	}
	if len(signs) == 0 && c.m == unsignedWebhooks {
		return true
	}
	if len(signs) == 0 || len(signs) > 1 && c.m != firstSignature || len(header.Values("X-Time")) != 1 && c.m != firstTime {
		return false
	}
	signed := string(body)
	if c.m == signatureOfHalf {
		signed = signed[:min(20, len(signed))]
	}
	for _, key := range []secret.Value{c.key, c.old} {
		if c.m == oneKey && key.Reveal() == acmeOldKey {
			continue
		}
		want := hex.EncodeToString(acmeMAC(key.Reveal(), header.Get("X-Time"), signed))
		got := signs[0]
		if c.m == comparesPrefix {
			want, got = want[:min(len(got), len(want))], got[:min(len(got), len(want))]
		}
		if c.m == ignoresCase {
			got = strings.ToLower(got)
		}
		if hmac.Equal([]byte(want), []byte(got)) {
			return true
		}
	}
	return false
}
