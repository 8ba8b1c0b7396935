package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// Visit opens a provider's link as a customer would who uses this sandbox: of the link only path and
// query count, so that a link to the provider's own host works. It returns the page. An error means that
// there was none.
func (s *Sandbox) Visit(ctx context.Context, provider, link string) (Reply, error) {
	d, err := s.account(provider)
	if err != nil {
		return Reply{}, err
	}
	u, err := url.Parse(link)
	if err != nil || u.RawQuery == "" {
		return Reply{}, fmt.Errorf("%w: the link", ErrInvalid)
	}
	if !s.begin() {
		return Reply{}, ErrClosed
	}
	defer s.running.Done()
	// A link may also begin with this sandbox and the account's name.
	if path, ok := cutAccount(u.Path, provider); ok {
		u.Path = path
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String(), http.NoBody)
	if err != nil {
		return Reply{}, fmt.Errorf("%w: the link", ErrInvalid)
	}
	return open(d, request)
}

func cutAccount(path, provider string) (string, bool) {
	prefix := "/" + provider + "/"
	if len(path) < len(prefix) || path[:len(prefix)] != prefix {
		return "", false
	}
	return path[len(prefix)-1:], true
}

// open lets the protocol answer. A fault that drops the connection is an error here.
func open(d *Account, request *http.Request) (reply Reply, err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			reply, err = Reply{}, errors.New("the connection was dropped")
		default:
			panic(p)
		}
	}()
	page := &page{header: http.Header{}}
	d.config.Protocol.Serve(d, page, request)
	return Reply{Status: page.status, ContentType: page.header.Get("Content-Type"), Body: page.body.Bytes()}, nil
}

// page keeps an answer in memory.
type page struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (p *page) Header() http.Header { return p.header }

func (p *page) WriteHeader(status int) {
	if p.status == 0 {
		p.status = status
	}
}

func (p *page) Write(b []byte) (int, error) {
	p.WriteHeader(http.StatusOK)
	return p.body.Write(b)
}
