package httpcall

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// clockReplyLimit is how much of the reply's body is read; nothing of it is used.
const clockReplyLimit = 1 << 20

// Clock asks the server of an address for the time, by the Date header of its answer (RFC 9110, 6.6.1), which
// has whole seconds. The request is "GET /" of the address's host, without path, query, credentials or body,
// so no server can take it for an instruction; any status is an answer. Behind a proxy the time is the
// proxy's. client must come from [NewClient].
func Clock(ctx context.Context, client *http.Client, address string) (time.Time, error) {
	at, err := url.Parse(address)
	if err != nil || at.Host == "" {
		return time.Time{}, errors.New("ask for the time: the address is malformed")
	}
	root := url.URL{Scheme: at.Scheme, Host: at.Host, Path: "/"}
	reply, err := Send(ctx, client, Request{Method: http.MethodGet, URL: root.String(), ReplyLimit: clockReplyLimit})
	if err != nil {
		return time.Time{}, fmt.Errorf("ask %s for the time: %w", at.Host, err)
	}
	date, err := http.ParseTime(reply.Header.Get("Date"))
	if err != nil {
		return time.Time{}, fmt.Errorf("ask %s for the time: its answer (HTTP %d) has no Date", at.Host, reply.Status)
	}
	return date, nil
}
