package ingress_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"payonce/pkg/ingress"
	"payonce/pkg/payment"
)

// get asks for the payment through pipes, with Prefer headers, and returns how long that took.
func (b *border) get(lines *pipes, prefer ...string) (answer, time.Duration) {
	b.t.Helper()
	req, err := http.NewRequest("GET", b.url+"/v1/payments/fake-kr/D-1", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+apiKey)
	req.Header["Prefer"] = prefer
	began := time.Now()
	a := b.send(lines.transport(), req)
	return a, time.Since(began)
}

func (b *border) mustWait(lines *pipes, prefer string, took time.Duration, status payment.Status, applied string) {
	b.t.Helper()
	a, got := b.get(lines, prefer)
	if view := a.mustBe(b.t, 200); view["status"] != string(status) {
		b.t.Errorf("status %v, want %s", view["status"], status)
	}
	if got != took || a.header.Get("Preference-Applied") != applied {
		b.t.Errorf("answered after %s with Preference-Applied %q, want %s and %q", got, a.header.Get("Preference-Applied"), took, applied)
	}
}

func TestWaitingEndsWhenTheCustomerCanGoOn(t *testing.T) {
	pending := func(t *testing.T) payment.Payment { return paymentOf(t, payment.Deposit, depositBody, payment.Pending) }
	actionable := func(t *testing.T) payment.Payment {
		p := pending(t)
		p.Action = &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: "https://pay.example"}}
		return p
	}
	ended := func(t *testing.T) payment.Payment { return paymentOf(t, payment.Deposit, depositBody, payment.Failed) }
	for name, last := range map[string]func(*testing.T) payment.Payment{"action": actionable, "end": ended} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, lines := newPiped(t)
				b.queue.put(queuedMessage(t, payment.Deposit, depositBody, "x"))
				go func() {
					<-b.log.watched
					time.Sleep(3 * time.Second) // the bubble's clock
					b.log.append(pending(t))
					b.log.tell() // nothing to do for the customer yet
					time.Sleep(4 * time.Second)
					b.log.append(last(t))
					b.log.tell()
				}()
				b.mustWait(lines, "wait=30", 7*time.Second, last(t).Status, "wait=30")
				b.mustWait(lines, "wait=30", 0, last(t).Status, "wait=30")
				if n := b.log.watching(); n != 0 {
					t.Errorf("%d watch still", n)
				}
			})
		})
	}
}

func TestWaitingEndsWithItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, lines := newPiped(t)
		b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.Submitting))
		b.mustWait(lines, "wait=10", 10*time.Second, payment.Submitting, "wait=10")
	})
}

// The log changed, but the news of it was lost: the last look finds it.
func TestWaitingLooksOnceMoreAtItsEnd(t *testing.T) {
	for name, lose := range map[string]func(*border){"silent": func(*border) {}, "closed": func(b *border) { b.log.closeAll() }} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, lines := newPiped(t)
				b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.Submitting))
				go func() {
					<-b.log.watched
					time.Sleep(time.Second)
					lose(b)
					time.Sleep(time.Second)
					b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.Settled))
				}()
				b.mustWait(lines, "wait=10", 10*time.Second, payment.Settled, "wait=10")
			})
		})
	}
}

// A minute is longer than the connection's read and write timeouts.
func TestWaitingIsLimitedAndOutlivesTheTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if d := testLimits(); d.WriteTimeout >= d.MaxWait || d.ReadTimeout >= d.MaxWait {
			t.Fatal("the timeouts are too long for this test")
		}
		b, lines := newPiped(t)
		b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.InDoubt))
		b.mustWait(lines, "wait=3600", time.Minute, payment.InDoubt, "wait=60")
	})
}

func TestPreferences(t *testing.T) {
	for text, want := range map[string]string{
		"wait=2":                        "wait=2",
		`wait="2"`:                      "wait=2",
		"Wait = 2":                      "wait=2",
		"respond-async, wait=2":         "wait=2",
		`x="a,wait=9\",wait=8", wait=2`: "wait=2",
		`x="a;b";y=",",wait=2;z=1`:      "wait=2",
		"wait=2, wait=9":                "wait=2",
		"handling=lenient\nwait=2":      "wait=2",
		"wait=0":                        "",
		"wait=":                         "",
		"wait":                          "",
		"wait=-1":                       "",
		"wait=1.5":                      "",
		"wait=5s":                       "",
		"wait=+5":                       "",
		`wait="5`:                       "",
		"wait=99999999999999999999":     "",
		"waiting=5":                     "",
		"respond-async":                 "",
		`x="wait=5`:                     "",
		",,;;,":                         "",
	} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, lines := newPiped(t)
				b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.Submitting))
				a, took := b.get(lines, strings.Split(text, "\n")...)
				a.mustBe(t, 200)
				wait := time.Duration(0)
				if want != "" {
					wait = 2 * time.Second
				}
				if got := a.header.Get("Preference-Applied"); got != want || took != wait {
					t.Errorf("Preference-Applied %q after %s, want %q after %s", got, took, want, wait)
				}
			})
		})
	}
}

func TestNobodyWaitsForAnUnknownOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, lines := newPiped(t)
		a, took := b.get(lines, "wait=30")
		a.mustRefuse(t, 404, "not_found", "")
		if took != 0 {
			t.Errorf("waited %s", took)
		}
	})
}

func TestClientThatLeavesStopsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, lines := newPiped(t, func(o *ingress.Options) { o.Limits.MaxWaiting = 1 })
		b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.Submitting))
		ctx, cancel := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, "GET", b.url+"/v1/payments/fake-kr/D-1", nil)
		req.Header.Set("Authorization", "Bearer "+apiKey)
		req.Header.Set("Prefer", "wait=60")
		began := time.Now()
		go func() {
			<-b.log.watched
			time.Sleep(time.Second)
			cancel()
		}()
		resp, err := lines.transport().RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
			t.Fatal("the client got an answer")
		}
		synctest.Wait()
		if n := b.log.watching(); n != 0 || time.Since(began) != time.Second {
			t.Errorf("%d still watch after %s", n, time.Since(began))
		}
		if logged := b.logged.String(); !strings.Contains(logged, `"status":499`) || strings.Contains(logged, "ERROR") {
			t.Errorf("the log says %s", logged)
		}
		b.mustWait(lines, "wait=5", 5*time.Second, payment.Submitting, "wait=5") // the place is free again
	})
}

func TestOnlySoManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, lines := newPiped(t, func(o *ingress.Options) { o.Limits.MaxWaiting = 1 })
		b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.Submitting))
		first := make(chan time.Duration)
		go func() {
			_, took := b.get(lines, "wait=60")
			first <- took
		}()
		<-b.log.watched
		b.mustWait(lines, "wait=60", 0, payment.Submitting, "") // answered at once, and it says so
		if took := <-first; took != time.Minute {
			t.Errorf("the first waited %s", took)
		}
	})
}

func TestShutdownWakesWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, lines, web := newPipedServer(t)
		b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.Submitting))
		stopped := make(chan error)
		go func() {
			<-b.log.watched
			time.Sleep(2 * time.Second)
			stopped <- web.Shutdown(context.Background())
		}()
		b.mustWait(lines, "wait=60", 2*time.Second, payment.Submitting, "wait=60")
		if err := <-stopped; err != nil {
			t.Errorf("shutdown: %v", err)
		}
		b.server.StopWaiting() // again, without harm
	})
}

// A client that sends its headers one byte a second is cut off, and so is one that never ends its body.
func TestSlowClientsAreCutOff(t *testing.T) {
	limits := testLimits()
	for name, c := range map[string]struct {
		head string
		cut  time.Duration
		want string
	}{
		"headers": {"GET /healthz HTTP/1.1\r\n", limits.ReadHeaderTimeout, ""},
		"body": {"POST /v1/deposits HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer " + apiKey +
			"\r\nContent-Length: 60000\r\n\r\n", 6831 * time.Millisecond, "HTTP/1.1 408 Request Timeout\r\n"},
		"webhook":        {"POST /webhooks/fake-kr HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", 6831 * time.Millisecond, "HTTP/1.1 408 Request Timeout\r\n"},
		"small webhook":  {"POST /webhooks/fake-kr HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", 5 * time.Second, "HTTP/1.1 408 Request Timeout\r\n"},
		"large webhook":  {"POST /webhooks/fake-kr HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n", 7 * time.Second, "HTTP/1.1 408 Request Timeout\r\n"},
		"unknown length": {"POST /webhooks/fake-kr HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n", limits.ReadTimeout, "HTTP/1.1 408 Request Timeout\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, lines := newPiped(t)
				conn, err := lines.dial()
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				go func() {
					if _, err := io.WriteString(conn, c.head); err != nil {
						return
					}
					for {
						time.Sleep(time.Second)
						if _, err := io.WriteString(conn, "a"); err != nil {
							return
						}
					}
				}()
				first := make([]byte, len(c.want))
				if _, err := io.ReadFull(conn, first); err != nil || string(first) != c.want {
					t.Errorf("got %q, %v", first, err)
				}
				_, _ = io.Copy(io.Discard, conn)
				if took := time.Since(began); took < c.cut || took > c.cut+2*time.Second {
					t.Errorf("cut off after %s, want %s", took, c.cut)
				}
				if b.queue.publishes()+len(b.sink.webhooks) != 0 {
					t.Error("something was published")
				}
			})
		})
	}
}
