package campaign

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"payonce/test/testenv"
)

// links are proxies on all ways between processes that can be cut.
type links struct {
	server  *toxiproxy.ApiServer // holds settings only; its API is not served
	proxies map[string]*toxiproxy.Proxy
}

func newLinks() *links {
	return &links{
		server:  toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()),
		proxies: map[string]*toxiproxy.Proxy{},
	}
}

// add opens a way to upstream and returns its host:port.
func (l *links) add(t testing.TB, name, upstream string) string {
	address := testenv.FreeAddress(t) // fixed, so that it stays the same when the way is closed and opened again
	proxy := toxiproxy.NewProxy(l.server, name, address, upstream)
	if err := proxy.Start(); err != nil {
		t.Fatalf("proxy to %s: %v", name, err)
	}
	l.proxies[name] = proxy
	return address
}

// names lists all ways.
func (l *links) names() []string { return slices.Sorted(maps.Keys(l.proxies)) }

// The ways to cut a link.
const (
	cutClosed  = "closed"  // every connection ends, new ones are refused
	cutReset   = "reset"   // every connection is reset as soon as an answer comes
	cutSilent  = "silent"  // answers do not arrive, and neither side is told
	cutDeaf    = "deaf"    // requests do not arrive, and neither side is told
	cutLatency = "latency" // answers take half a second
)

var cuts = []string{cutClosed, cutReset, cutSilent, cutDeaf, cutLatency}

// toxics are the settings of a cut, as toxiproxy reads them.
var toxics = map[string]string{
	cutReset:   `{"name":"cut","type":"reset_peer","stream":"downstream","attributes":{"timeout":0}}`,
	cutSilent:  `{"name":"cut","type":"timeout","stream":"downstream","attributes":{"timeout":0}}`,
	cutDeaf:    `{"name":"cut","type":"timeout","stream":"upstream","attributes":{"timeout":0}}`,
	cutLatency: `{"name":"cut","type":"latency","stream":"downstream","attributes":{"latency":500,"jitter":300}}`,
}

// cut disturbs a way for a time. It is false if the way was disturbed already.
func (l *links) cut(ctx context.Context, name, how string, length time.Duration) bool {
	proxy := l.proxies[name]
	if how == cutClosed {
		proxy.Stop()
		defer l.open(proxy)
	} else {
		if !json.Valid([]byte(toxics[how])) {
			panic("campaign: there is no cut " + how)
		}
		if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxics[how])); err != nil {
			return false
		}
		defer func() { _ = proxy.Toxics.RemoveToxic(context.WithoutCancel(ctx), "cut") }()
	}
	select {
	case <-time.After(length):
	case <-ctx.Done():
	}
	return true
}

// open lets connections in again. Its port can be taken for a moment by a connection of another process.
func (l *links) open(proxy *toxiproxy.Proxy) {
	for range 100 {
		if err := proxy.Start(); err == nil || err == toxiproxy.ErrProxyAlreadyStarted {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
	panic("campaign: the proxy at " + proxy.Listen + " cannot listen any more")
}

func (l *links) close() {
	for _, proxy := range l.proxies {
		proxy.Stop()
	}
}
