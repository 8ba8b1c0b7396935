package console_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"payonce/internal/console"
	"payonce/internal/console/signin"
	"payonce/pkg/calendar"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/search"
	"payonce/pkg/secret"
	"payonce/pkg/status"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
)

const password = "correct horse"

// passwordHash is made once, and by argon2id: the race detector makes bcrypt slow, see the tests of signin for it.
var passwordHash = sync.OnceValues(func() (string, error) {
	return argon2id.CreateHash(password, &argon2id.Params{Memory: 16 << 10, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
})

// system is a console beside a real nats-server.
type system struct {
	t      *testing.T
	broker *natstest.Server
	conn   *admin.Conn
	url    string
}

// report is how everything stands in the tests.
type report struct{ stands status.Report }

func (r report) Report(context.Context) status.Report { return r.stands }

func start(t *testing.T, change ...func(*console.Options)) system {
	t.Helper()
	broker, conn := jetstreamtest.Start(t)
	return startOn(t, broker, conn, change...)
}

func startOn(t *testing.T, broker *natstest.Server, conn *admin.Conn, change ...func(*console.Options)) system {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	base, _ := url.Parse(server.URL)
	hash, err := passwordHash()
	if err != nil {
		t.Fatal(err)
	}
	open, err := calendar.Parse(calendar.Config{Zone: "Asia/Seoul", Days: "mon-fri", Hours: "09:00-18:00"})
	if err != nil {
		t.Fatal(err)
	}
	provider := status.ProviderConfig{
		Name: "acme", Operations: payment.Operations(), Rate: &status.Rate{Calls: 10, PerSeconds: 1, Burst: 20},
		Hours: func(payment.Operation) calendar.Hours { return open },
	}
	o := console.Options{
		SignIn: signin.Options{
			BaseURL: base, Idle: time.Hour, Lifetime: time.Hour, Logger: slog.New(slog.DiscardHandler),
			Users: []signin.User{
				{Name: "kim", PasswordHash: secret.New(hash), Roles: []signin.Role{signin.Viewer}},
				{Name: "ann", PasswordHash: secret.New(hash), Roles: []signin.Role{signin.Operator}},
				{Name: "lee", PasswordHash: secret.New(hash), Roles: []signin.Role{signin.Operator, signin.Approver, signin.Unmask}},
			},
		},
		Environment: "test", Zone: time.FixedZone("KST", 9*3600), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Status: quiet(), Search: search.Log{Source: conn, Events: 5000}, Log: conn, Last: conn, Queue: conn, Records: conn, Changes: conn, About: conn, Readers: conn, Statements: console.Statements{Log: conn, Remembered: 24 * time.Hour},
		Approvals: operator.Approvals{Above: []payment.Money{payment.KRW(5_000_000)}, Expires: time.Hour, Requests: conn},
		Providers: []console.Provider{{ProviderConfig: provider, Settings: "kind: acme\nsecret: [redacted]\n"}},
	}
	o.Acting = &console.Acting{Reader: conn, DeadLetters: conn, Endpoints: conn, Actions: operator.Actions{
		Service: operator.Service{Log: conn, Queue: conn, Now: time.Now}, Audit: conn, NewID: uuid.NewString, Timeout: time.Minute, Approvals: o.Approvals,
	}}
	for _, c := range change {
		c(&o)
	}
	c, err := console.New(o)
	if err != nil {
		t.Fatal(err)
	}
	handler = c
	t.Cleanup(func() { c.Close(); server.Close() })
	return system{t, broker, conn, server.URL}
}

// quiet is a report in which nothing happens.
func quiet() report {
	none := 0
	return report{status.Report{At: time.Now(), Providers: []status.Provider{}, Processes: []status.Process{}, Attention: []status.Item{}, AttentionTotal: &none}}
}

// append appends events of a payment in the order of its life.
func (s system) append(p payment.Payment, after uint64, steps ...func(*payment.Payment)) uint64 {
	s.t.Helper()
	for _, step := range steps {
		step(&p)
		p.Revision++
		p.UpdatedAt = time.Now().UTC()
		after = jetstreamtest.Append(s.t, s.conn, p, after)
	}
	return after
}

func in(s payment.Status) func(*payment.Payment) { return func(p *payment.Payment) { p.Status = s } }

func settled(p *payment.Payment) {
	p.Status, p.SettledAmount, p.ProviderReference = payment.Settled, p.Amount, "PR-"+p.Order
}

func newPayment(order string) payment.Payment {
	return payment.Payment{
		Ref: payment.Ref{Provider: "acme", Order: order}, Operation: payment.Deposit, Amount: payment.KRW(1_250_000), Attempts: 1,
		RequestedAt: time.Now().UTC(), SubmittedAt: time.Now().UTC(), Metadata: map[string]string{"shop": "seoul"},
	}
}

// signIn signs a browser in.
func (s system) signIn(ctx context.Context, path string) { s.signInAs(ctx, "kim", path) }

func (s system) signInAs(ctx context.Context, name, path string) {
	s.t.Helper()
	do(ctx, s.t, chromedp.Navigate(s.url+path), chromedp.WaitVisible("#password"),
		chromedp.SendKeys("#name", name), chromedp.SendKeys("#password", password+"\r"), chromedp.WaitVisible(".top nav"))
}

// text returns what is seen of an element.
func text(ctx context.Context, t *testing.T, selector string) string {
	t.Helper()
	return ask(ctx, t, chromedp.Text(selector))
}

// client is a person without a browser.
func (s system) client() *http.Client { return s.clientOf("kim") }

func (s system) clientOf(name string) *http.Client {
	s.t.Helper()
	jar := &jar{}
	client := &http.Client{Jar: jar, Timeout: time.Minute}
	reply, err := client.PostForm(s.url+"/sign-in", url.Values{"name": {name}, "password": {password}, "next": {"/providers"}})
	if err != nil {
		s.t.Fatal(err)
	}
	_ = reply.Body.Close()
	if reply.StatusCode != http.StatusOK || reply.Request.URL.Path != "/providers" {
		s.t.Fatalf("signing in: %s at %s", reply.Status, reply.Request.URL)
	}
	return client
}

// upload sends a statement and returns the id of its comparison.
func (s system) upload(client *http.Client, values map[string]string, file string) string {
	s.t.Helper()
	reply := s.sendFile(client, "/statements", values, "statement.csv", file)
	id := path.Base(reply.Request.URL.Path)
	if body, _ := io.ReadAll(reply.Body); reply.StatusCode != http.StatusOK || id == "statements" {
		s.t.Fatalf("%s at %s: %s", reply.Status, reply.Request.URL, body)
	}
	_ = reply.Body.Close()
	return id
}

// sendFile sends a form with a file; with none if name is empty.
func (s system) sendFile(client *http.Client, path string, values map[string]string, name, file string) *http.Response {
	s.t.Helper()
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	for field, value := range values {
		_ = parts.WriteField(field, value) // into memory
	}
	if name != "" {
		part, err := parts.CreateFormFile("file", name)
		if err != nil {
			s.t.Fatal(err)
		}
		_, _ = io.WriteString(part, file)
	}
	_ = parts.Close()
	reply, err := client.Post(s.url+path, parts.FormDataContentType(), &form)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply
}

type jar struct{ cookies []*http.Cookie }

func (j *jar) SetCookies(_ *url.URL, cookies []*http.Cookie) {
	j.cookies = append(j.cookies, cookies...)
}
func (j *jar) Cookies(*url.URL) []*http.Cookie { return j.cookies }

func (s system) get(client *http.Client, path string) (int, http.Header, string) {
	s.t.Helper()
	reply, err := client.Get(s.url + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply.StatusCode, reply.Header, string(body)
}

// deadLetter gives a command up.
func (s system) deadLetter(order string) {
	s.t.Helper()
	stop := jetstreamtest.Consuming(s.t, s.conn, 1, giveUp)
	jetstreamtest.Publish(s.t, s.conn, payment.Ref{Provider: "acme", Order: order})
	jetstreamtest.Eventually(s.t, "a dead letter", func() bool {
		letters, err := s.conn.DeadLettersOf(s.t.Context(), payment.Ref{Provider: "acme", Order: order})
		return err == nil && len(letters) > 0
	})
	stop()
}

// giveUp makes a dead letter of each message, with a detail from outside.
func giveUp(context.Context, events.Message) queue.Verdict {
	return queue.DeadLetter(events.DeadReason("invalid"), "odd <b>text</b>")
}
