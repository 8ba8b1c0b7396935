package app_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"payonce/internal/app"
	"payonce/internal/payctl"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// TestAnUnreachableProviderSaysWhy pays at providers that cannot be reached, each in another way, through a real worker: the payment's
// reason, and what payctl shows of it, says DNS, refused, TLS or time-out. Where a byte may have been sent it is in doubt, and the
// reason does not say that it was.
func TestAnUnreachableProviderSaysWhy(t *testing.T) {
	secured := httptest.NewUnstartedServer(http.NotFoundHandler())
	secured.Config.ErrorLog = log.New(io.Discard, "", 0)
	secured.StartTLS()
	t.Cleanup(secured.Close)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, which nothing reads
	testenv.Must(t, err)
	t.Cleanup(func() { _ = silent.Close() })

	const nowhere = "http://127.0.0.1:1"
	nats := natstest.Start(t)
	s := testenv.NewSystem(t, t.TempDir(), testenv.Addresses{NATS: []string{nats.URL()}, Redis: miniredis.RunT(t).Addr(), Sandbox: nowhere}, nil)
	s.Edit(nowhere+"/"+testenv.TeemoPay+"\n", "https://no-such-host.invalid\n",
		"base_url: "+nowhere+"/"+testenv.ECommPay+"\n", "base_url: http://"+testenv.FreeAddress(t)+"\n",
		nowhere+"/"+testenv.DiamondPayV2+"\n", secured.URL+"\n",
		nowhere+"/"+testenv.DiamondPayInfo+"\n", "http://"+silent.Addr().String()+"\n")
	logs := testenv.NewLogs(t)
	rt, err := app.Load(app.Worker(), s.Config, logs)
	s.Must(err)
	testenv.Serve(t, func(ctx context.Context, ready func(string)) error { return app.Worker().Run(ctx, rt, ready) })
	s.Log = testenv.Connect(t, jetstream.Options{URLs: s.At.NATS})
	for provider, want := range map[string]struct {
		operation payment.Operation
		status    payment.Status
		code      string
		says      string
	}{
		testenv.TeemoPay:       {payment.Deposit, payment.Parked, payment.ReasonUnreachable, "DNS: "},
		testenv.ECommPay:       {payment.Payout, payment.Parked, payment.ReasonUnreachable, "connection refused"},
		testenv.DiamondPayV2:   {payment.Payout, payment.Parked, payment.ReasonUnreachable, "TLS: the certificate is of an unknown authority"},
		testenv.DiamondPayInfo: {payment.Deposit, payment.InDoubt, payment.ReasonNoAnswer, "no reply: timed out"},
	} {
		t.Run(provider, func(t *testing.T) {
			ref := payment.Ref{Provider: provider, Order: "U-1"}
			s.Publish(t.Context(), ref, want.operation)
			records := s.Until(t.Context(), ref, string(want.status), func(p payment.Payment) bool { return p.Status == want.status })
			at := slices.IndexFunc(records, func(r events.Record) bool { return r.Payment.Status == want.status })
			reason := records[at].Payment.Reason
			if reason == nil || reason.Code != want.code || !strings.HasPrefix(reason.Message, want.says) {
				t.Errorf("the reason is %+v, want %s: %s", reason, want.code, want.says)
			}
			var out testenv.Logs // the connection logs while the command writes
			payctl.Run(t.Context(), []string{"payment", "show", provider, "U-1", "--config", s.Config}, payctl.Env{
				Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Now: time.Now, LookupEnv: os.LookupEnv, Kinds: app.Kinds(),
			})
			if !strings.Contains(out.String(), want.says) {
				t.Errorf("payctl payment show doesn't say %q:\n%s", want.says, out.String())
			}
		})
	}
}
