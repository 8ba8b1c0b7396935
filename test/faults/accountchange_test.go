package faults

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/pkg/sandbox/teemopay"
	"payonce/test/testenv"
)

// The applications at TeemoPay's gateway. The provider's records of one know nothing of the other's orders.
const (
	appBefore = "test-app"
	appAfter  = "test-app-2"
)

// gateway is a provider with two applications at one address.
type gateway struct {
	*system
	after *sandbox.Sandbox // the records of appAfter
	front *httptest.Server
}

// startGateway lets a system's TeemoPay have a second application. renamed says that it is the first one under another
// code: the provider's records are the same.
func startGateway(t *testing.T, renamed bool) *gateway {
	s := start(t)
	g := &gateway{system: s}
	merchant, err := teemopay.ReadPrivate(filepath.Join(s.Dir, "keys", teemopay.MerchantPrivateFile))
	s.Must(err)
	protocol, err := teemopay.New(teemopay.Settings{AppCode: appAfter, MerchantKey: &merchant.PublicKey, PlatformKey: s.Keys.PlatformKey()})
	s.Must(err)
	g.after, err = sandbox.New(sandbox.Options{Now: time.Now, Accounts: []sandbox.AccountConfig{{
		Name: testenv.TeemoPay, Protocol: protocol, CallbackURL: s.At.CallbackURL(testenv.TeemoPay),
		Retry: sandbox.Retry{First: 200 * time.Millisecond, Factor: 1.5, Max: 2 * time.Second, Attempts: 30},
	}}})
	s.Must(err)
	t.Cleanup(g.after.Close)
	behind, err := url.Parse(s.At.Sandbox)
	s.Must(err)
	before := httputil.NewSingleHostReverseProxy(behind)
	before.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) } // a dropped connection stays one
	g.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("app_code") != appAfter:
			before.ServeHTTP(w, r)
		case renamed:
			delete(r.Header, http.CanonicalHeaderKey("app_code"))
			r.Header.Set("app_code", appBefore)
			before.ServeHTTP(w, r)
		default:
			g.after.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(g.front.Close)
	g.configure(appBefore)
	return g
}

// configure writes the configuration of the workers with one of the applications.
func (g *gateway) configure(app string) {
	g.t.Helper()
	text, err := os.ReadFile(filepath.Join(g.Dir, "payonce.yaml"))
	g.Must(err)
	changed := strings.NewReplacer("base_url: "+g.At.Sandbox+"/teemopay-kr\n", "base_url: "+g.front.URL+"/teemopay-kr\n",
		"breaker: {open_for: 2s}\n", "breaker: {off: true}\n", // its probes would be look-ups only, which are never answered
		"app_code: "+appBefore+"\n", "app_code: "+app+"\n", "nats:\n", "reload_every: 200ms\nnats:\n").Replace(string(text))
	if strings.Count(changed, g.front.URL) != 1 || !strings.Contains(changed, "app_code: "+app+"\n") || !strings.Contains(changed, "reload_every") {
		g.t.Fatalf("the configuration is not changed as meant:\n%s", changed)
	}
	g.Config = filepath.Join(g.Dir, "gateway.yaml")
	g.Must(os.WriteFile(g.Config, []byte(changed), 0o600))
}

// sentInDoubt sends ten orders that reach the provider, and waits until each is in doubt. The provider does not say what
// became of them.
func (g *gateway) sentInDoubt(ctx context.Context, t *testing.T) (orders []order) {
	t.Helper()
	g.Must(g.Sandbox.SetDefaultFaults(testenv.TeemoPay, sandbox.Fault{Name: sandbox.Drop}, sandbox.Fault{Name: sandbox.LostCallback}, sandbox.Fault{Name: sandbox.Query503},
		sandbox.Fault{Name: sandbox.AcceptDuplicates}))
	for i := range 10 {
		o := order{payment.Ref{Provider: testenv.TeemoPay, Order: fmt.Sprintf("doubt-%d", i)}, payment.Deposit}
		orders = append(orders, o)
		g.publish(ctx, o)
	}
	for _, o := range orders {
		g.stands(ctx, o, payment.InDoubt)
	}
	return orders
}

// answered lets the provider answer look-ups again, and waits until each payment has ended with one charge.
func (g *gateway) answered(ctx context.Context, orders []order) {
	g.t.Helper()
	for _, o := range orders {
		g.Must(g.Sandbox.SetFaults(o.ref.Provider, o.ref.Order, sandbox.Fault{Name: sandbox.AcceptDuplicates}))
	}
	g.settleOnce(ctx, orders...)
	if statement := g.after.Truth().Accounts[0]; len(statement.Orders) != 0 {
		g.t.Errorf("%d orders were sent to the other account, too", len(statement.Orders))
	}
}

// refused starts a worker that must not begin to work, and returns what it said.
func (g *gateway) refused(ctx context.Context, args ...string) string {
	g.t.Helper()
	out, err := exec.CommandContext(ctx, shipped(g.t, "worker"), append([]string{"--config", g.Config}, args...)...).CombinedOutput()
	if err == nil {
		g.t.Fatalf("the worker worked and stopped:\n%s", out)
	}
	return string(out)
}

// The account of a provider is changed in the file of a running worker while ten payments are in doubt. It is refused, and
// none is sent to the other account, which does not know it.
func TestAReloadKeepsTheAccountOfPaymentsInDoubt(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	ctx := within(t, 2*timeout)
	g.worker()
	orders := g.sentInDoubt(ctx, t)
	g.configure(appAfter)
	g.logged(ctx, "worker-1", "the changed configuration is refused")
	g.logged(ctx, "worker-1", "a provider's account was changed")
	g.answered(ctx, orders)
}

// The account is changed while no worker runs. The next one does not start while payments may have been sent to the account
// before, and says what to do; with the old account it goes on.
func TestAStartKeepsTheAccountOfPaymentsInDoubt(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	ctx := within(t, 2*timeout)
	first := g.worker()
	orders := g.sentInDoubt(ctx, t)
	g.Must(first.Stop(testenv.StopTimeout))
	g.configure(appAfter)
	said := g.refused(ctx)
	for _, part := range []string{"provider " + testenv.TeemoPay + ": the account was changed while payments may have been sent", "app_code " + appAfter,
		"10 payments, for example doubt-0", "--accept-account-change=" + testenv.TeemoPay} {
		if !strings.Contains(said, part) {
			t.Errorf("%q is not in\n%s", part, said)
		}
	}
	if said := g.refused(ctx, "--check"); !strings.Contains(said, "account of "+testenv.TeemoPay) || !strings.Contains(said, "10 payments") {
		t.Errorf("the self-check says\n%s", said)
	}
	g.configure(appBefore)
	g.worker()
	g.answered(ctx, orders)
}

// A person accepts a changed account, because it is the same one under another name. AUDIT keeps who, why and which
// payments were open, and a worker with the old name ends.
func TestAnAcceptedAccountIsRecorded(t *testing.T) {
	t.Parallel()
	g := startGateway(t, true)
	ctx := within(t, 2*timeout)
	first := g.worker()
	orders := g.sentInDoubt(ctx, t)
	g.Must(first.Stop(testenv.StopTimeout))
	g.configure(appAfter)
	g.Must(g.Sandbox.SetDefaultFaults(testenv.TeemoPay))
	cmd := exec.Command(shipped(g.t, "worker"), "--config", g.Config, "--accept-account-change="+testenv.TeemoPay, "--by", "kim", "--reason", "ticket 4711")
	testenv.StartLogged(t, g.Dir, "accepting", cmd, "msg=working")
	g.answered(ctx, orders)
	last, err := g.Log.LastAccount(ctx, testenv.TeemoPay)
	g.Must(err)
	r := last.Record
	if r.Action != events.ActionAccount || r.Stage != events.Finished || r.By != "kim" || r.Reason != "ticket 4711" || len(r.Items) != 10 ||
		!strings.Contains(r.Account, appAfter) || strings.Contains(r.AccountBefore, appAfter) || !strings.Contains(r.AccountBefore, appBefore) {
		t.Errorf("AUDIT keeps %+v", r)
	}
}

// Without a payment that may have been sent an account may change, but not beside workers with the old one.
func TestTwoAccountsAreNeverWorkedWithAtATime(t *testing.T) {
	t.Parallel()
	g := startGateway(t, false)
	ctx := within(t, 2*timeout)
	first := g.worker()
	g.configure(appAfter)
	if said := g.refused(ctx); !strings.Contains(said, "other workers still use the account") {
		t.Errorf("the worker said\n%s", said)
	}
	first.Kill() // its requests for commands are forgotten by the broker
	g.worker()
	o := order{payment.Ref{Provider: testenv.TeemoPay, Order: "after"}, payment.Deposit}
	g.publish(ctx, o)
	g.stands(ctx, o, payment.Pending)
	if statement := g.after.Truth().Accounts[0]; len(statement.Orders) != 1 {
		t.Errorf("the other account has %d orders", len(statement.Orders))
	}
}
