package connectors

import "context"

// Sending is what a caller of Submit asks of the one request that pays. A connector that makes its requests with
// package httpcall does what it says; see [WithSending].
type Sending struct {
	// Check, if set, is the last thing before the first byte of the request leaves: the connection is open, with
	// TCP and TLS. dialed says that a connection was made for this request; false is one that was open already. An
	// error keeps every byte back: the request was not sent, and the error of the call says so. ctx is that of
	// the call.
	Check func(ctx context.Context, dialed bool) error
	// NewConnection asks for a connection that carries no other request, so that its answer cannot be another's.
	NewConnection bool
}

type sendingKey struct{}

// WithSending returns a context for one call of Submit. It is not for look-ups: they pay nothing.
func WithSending(ctx context.Context, s Sending) context.Context {
	return context.WithValue(ctx, sendingKey{}, s)
}

// SendingOf returns what [WithSending] put into the context; the zero Sending asks for nothing.
func SendingOf(ctx context.Context) Sending {
	s, _ := ctx.Value(sendingKey{}).(Sending)
	return s
}
