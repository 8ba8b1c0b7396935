package httpcall

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// DefaultReplyLimit is how many bytes of a reply's body are read, 1 MiB.
const DefaultReplyLimit = 1 << 20

// Request is one HTTP request.
type Request struct {
	Method string
	URL    string // absolute, http or https
	// Header is written with its keys spelled as they are: put a key like "app_code" into the map, as
	// Set would change it.
	Header http.Header
	Body   []byte
	// ReplyLimit is the longest body of a reply in bytes; 0 takes DefaultReplyLimit.
	ReplyLimit int64
	// NewConnection sends the request over a connection that carries no other, so that the answer is its own. It
	// costs a TCP and a TLS handshake: for requests whose answers do not say what they answer.
	NewConnection bool
}

// Reply is a whole HTTP reply, of any status: a redirect and an error page are replies too.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
	// Reused says that the connection had carried another request. A server that answers that one twice has then
	// answered this one with it, so that an answer which does not name what it answers proves nothing.
	Reused bool
}

// Send makes the request once, and at most once, and returns the whole reply. client must come from
// [NewClient]; its transport is used and nothing else of it. Send is safe for concurrent use and
// respects the deadline of ctx, also while the body arrives.
//
// The error is always a [*connectors.Error]. It is NotSent only when no byte of the request was handed to
// the connection, and none can be any more; in every other case it is InDoubt. It holds nothing of the
// URL's query, of a header or of a body.
//
// What ctx asks of the request ([connectors.WithSending]) is done. A request without its whole answer at the
// end of the call, whatever the reason, ends its connection with a reset, so that the kernel does not deliver
// it later; on Linux the kernel gives up what it could not deliver at the deadline of ctx, also while the
// process stands still. On other systems such a process is not covered.
func Send(ctx context.Context, client *http.Client, r Request) (reply Reply, err error) {
	transport, ok := provable(client)
	if !ok {
		return Reply{}, notSent("no request was made", errors.New("the HTTP client was not made by httpcall.NewClient"))
	}
	if err := ctx.Err(); err != nil {
		return Reply{}, unreachable("the call's deadline had passed before a request was made", err)
	}
	out, ctx := newOutgoing(ctx)
	req, err := build(ctx, r)
	if err != nil {
		return Reply{}, notSent("no request was made", err)
	}
	_, span := startSpan(ctx, r.Method, req.URL)
	defer func() { endSpan(span, reply.Status, err) }()
	through := transport.Transport
	if r.NewConnection || connectors.SendingOf(ctx).NewConnection {
		through = transport.single
	}
	// The transport itself, not client.Do, which follows redirects and names the URL in its errors.
	res, err := through.RoundTrip(req)
	if out.withdraw() { // from here on nothing can be written, whatever the transport does
		return Reply{}, keptBack(out, res, err)
	}
	if err != nil {
		return Reply{}, inDoubt("the request or a part of it was written, no reply arrived", "", "no reply: ", err)
	}
	return read(res, out, r.ReplyLimit)
}

// keptBack is the error of a request of which no byte left.
func keptBack(out *outgoing, res *http.Response, err error) *connectors.Error {
	if res != nil { // an answer, and not to this request: the connection is of no more use
		_ = res.Body.Close()
		err = errSurplus
	}
	// The refusal ends the connection, and the transport may report that instead of the refusal.
	var refused *refusedError
	if errors.As(errors.Join(out.keptBy(), err), &refused) {
		e := notSent("no byte of the request was written: the last check refused it", refused.err)
		e.Code = payment.ReasonInterrupted
		return e
	}
	return unreachable("no byte of the request was written", err)
}

// build makes a request that Go's transport cannot repeat: a body without GetBody, and never nil for
// the methods that the transport repeats on its own.
func build(ctx context.Context, r Request) (*http.Request, error) {
	for key := range r.Header {
		switch http.CanonicalHeaderKey(key) {
		case "Idempotency-Key", "X-Idempotency-Key":
			return nil, fmt.Errorf("the header %s would make Go repeat the request", key)
		}
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, nil)
	if err != nil {
		return nil, errors.New("the method or the URL is malformed") // err names the whole URL
	}
	if scheme := req.URL.Scheme; scheme != "http" && scheme != "https" || req.URL.Host == "" {
		return nil, errors.New("the URL must be absolute, http or https")
	}
	req.Header = r.Header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	if _, ok := req.Header["User-Agent"]; !ok {
		req.Header["User-Agent"] = []string{"payonce"}
	}
	switch {
	case len(r.Body) > 0:
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(r.Body)), int64(len(r.Body))
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		req.Body = io.NopCloser(bytes.NewReader(nil)) // sent without a body, but not repeated
	default:
		req.Body = http.NoBody
	}
	req.GetBody = nil
	return req, nil
}

// read takes the reply's whole body or fails in doubt: half an answer is no answer.
func read(res *http.Response, out *outgoing, limit int64) (Reply, error) {
	defer func() { _ = res.Body.Close() }() // everything that matters was read
	if limit <= 0 {
		limit = DefaultReplyLimit
	}
	status := fmt.Sprintf("http_%d", res.StatusCode)
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	switch {
	case err != nil:
		return Reply{}, inDoubt("the body of the reply broke off", status, "the reply broke off: ", err)
	case int64(len(body)) > limit:
		return Reply{}, &connectors.Error{
			Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, ProviderCode: status, Message: "the reply is too long",
			Evidence: fmt.Sprintf("the body of the reply is longer than %d bytes", limit),
		}
	}
	out.answered.Store(true)
	return Reply{Status: res.StatusCode, Header: res.Header, Body: body, Reused: out.reused}, nil
}

func notSent(evidence string, err error) *connectors.Error {
	return &connectors.Error{Class: connectors.NotSent, Code: payment.ReasonUnreachable, Evidence: evidence, Err: err}
}

// unreachable is the error of a request that the network kept back. Its message says why.
func unreachable(evidence string, err error) *connectors.Error {
	why := &cause{plain(err), err}
	e := notSent(evidence, why)
	if e.Message = why.text; errors.Is(err, context.DeadlineExceeded) && e.Message == "timed out" {
		e.Message = "timed out before the connection was made"
	}
	return e
}

// inDoubt is the error of a request without its whole answer. Its message says what came instead, and not how much of the
// request arrived: the network doesn't tell.
func inDoubt(evidence, status, what string, err error) *connectors.Error {
	why := &cause{plain(err), err}
	return &connectors.Error{
		Class: connectors.InDoubt, Code: payment.ReasonNoAnswer, ProviderCode: status, Message: what + why.text, Evidence: evidence, Err: why,
	}
}
