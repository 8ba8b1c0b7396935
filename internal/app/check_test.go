package app

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/clock"
	"payonce/test/natstest"
	"payonce/test/redistest"
	"payonce/test/testenv"
)

var update = flag.Bool("update", false, "write the golden table again")

// checked is a whole system with a provider that only tells the time.
type checked struct {
	path  string
	nats  *natstest.Server
	redis *redistest.Server
}

func system(t *testing.T, provider http.HandlerFunc, redisArgs ...string) checked {
	t.Helper()
	keys, err := testenv.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(provider)
	t.Cleanup(server.Close)
	s := checked{nats: natstest.Start(t), redis: redistest.Start(t, redisArgs...)}
	s.path, _, err = keys.WriteConfig(t.TempDir(), testenv.Addresses{
		NATS: []string{s.nats.URL()}, Redis: s.redis.Addr(), Listen: "127.0.0.1:0", Sandbox: server.URL,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// exact is a provider whose clock is ours.
func exact(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }

// edit changes a text of the configuration, which must be there.
func (s checked) edit(t *testing.T, old, replacement string) {
	t.Helper()
	text, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("the configuration has no %q", old)
	}
	if err := os.WriteFile(s.path, []byte(strings.ReplaceAll(string(text), old, replacement)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// makeStreams makes the streams as a worker does that may.
func (s checked) makeStreams(t *testing.T) {
	t.Helper()
	rt := s.load(t)
	conn, err := connectNATS(t.Context(), rt)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func (s checked) load(t *testing.T) Runtime {
	t.Helper()
	rt, err := Load(Worker(), s.path, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

// find returns the findings of one check.
func find(t *testing.T, rows []finding, check string) finding {
	t.Helper()
	at := slices.IndexFunc(rows, func(f finding) bool { return f.check == check })
	if at < 0 {
		t.Fatalf("nothing was found about %s: %+v", check, rows)
	}
	return rows[at]
}

func TestCheckPrintsATable(t *testing.T) {
	s := system(t, exact)
	s.makeStreams(t)
	for _, service := range []Service{Worker(), Ingress()} {
		var out, logs bytes.Buffer
		if code := Main(service, []string{"--check", "--config", s.path}, &out, &logs); code != ExitOK {
			t.Errorf("%s: code %d: %s%s", service.Name, code, &out, &logs)
		}
		conn, err := dialNATS(t.Context(), s.load(t))
		if err != nil {
			t.Fatal(err)
		}
		table := strings.ReplaceAll(out.String(), conn.ServerVersion(), "2.x.y")
		_ = conn.Close()
		golden := filepath.Join("testdata", "check."+service.Name+".txt")
		if *update {
			if err := os.WriteFile(golden, []byte(table), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(golden); err != nil || string(want) != table {
			t.Errorf("%s differs (make update writes it again): %v\n%s", golden, err, table)
		}
	}
}

// Every fault is reported with what to do, ends --check with 1 or not, and does or does not keep a worker from starting.
func TestCheckFindsFaults(t *testing.T) {
	late := func(by time.Duration) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(-by).UTC().Format(http.TimeFormat))
		}
	}
	for name, c := range map[string]struct {
		provider  http.HandlerFunc
		redisArgs []string
		change    func(t *testing.T, s checked)
		check     string
		state     state
		result    string // a part of it
		next      string // a part of it
		fatal     bool
	}{
		"streams are missing": {check: "NATS streams", state: failed, result: "PAYMENTS: missing", next: "payctl streams apply"},
		"a stream differs": {change: func(t *testing.T, s checked) {
			s.makeStreams(t)
			s.edit(t, "nats:\n", "nats:\n  payments_retention: 500d\n")
		}, check: "NATS streams", state: failed, result: "PAYMENTS: max_age is", next: "--update"},
		"no NATS":  {change: func(_ *testing.T, s checked) { s.nats.Stop() }, check: "NATS", state: failed, result: "connect to NATS", next: "nats.urls"},
		"no Redis": {change: func(_ *testing.T, s checked) { s.redis.Stop() }, check: "Redis", state: failed, result: "redis: check", next: "continue with the log alone"},
		"no Redis, which is required": {change: func(t *testing.T, s checked) {
			s.redis.Stop()
			s.edit(t, "redis:\n", "redis:\n  required: true\n")
		}, check: "Redis", state: failed, result: "redis: check", next: "redis.required: false", fatal: true},
		"Redis evicts": {redisArgs: []string{"--maxmemory-policy", "allkeys-lru"}, check: "Redis", state: failed,
			result: "allkeys-lru", next: "noeviction", fatal: true},
		"Redis forgets in a crash":    {redisArgs: []string{"--appendonly", "no"}, check: "Redis", state: warned, result: "appendonly is off", next: "appendonly yes"},
		"a provider is a bit late":    {provider: late(10 * time.Second), check: "clock of teemopay-kr", state: warned, result: "behind ours", next: "chrony"},
		"a provider is late":          {provider: late(time.Hour), check: "clock of diamondpay-tw", state: failed, result: "behind ours", next: "chrony"},
		"a provider is ahead":         {provider: late(-time.Hour), check: "clock of ecommpay-kr", state: failed, result: "ahead of ours", next: "chrony"},
		"a provider tells no time":    {provider: func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }, check: "clock of ecommpay-kr", state: warned, result: "no Date", next: "providers.ecommpay-kr.settings"},
		"the keys may be a sandbox's": {check: "credentials", state: warned, result: "sandbox's secrets are accepted", next: "environment"},
		"holidays run out": {change: func(t *testing.T, s checked) {
			s.edit(t, "hours: {always_open: true}", "hours: {closed: [2026-11-23], closed_known_until: "+time.Now().AddDate(0, 0, 9).Format(time.DateOnly)+"}")
		}, check: "hours of ecommpay-kr", state: warned, result: "closed days are listed until", next: "closed_known_until"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.provider == nil {
				c.provider = exact
			}
			s := system(t, c.provider, c.redisArgs...)
			if c.change != nil {
				c.change(t, s)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			rows := selfCheck(ctx, s.load(t))
			row := find(t, rows, c.check)
			if row.state != c.state || !strings.Contains(row.result, c.result) || !strings.Contains(row.next, c.next) || (row.fatal != nil) != c.fatal {
				t.Errorf("%+v", row)
			}
			code := writeFindings(new(bytes.Buffer), "worker", []finding{row})
			if want := map[state]int{failed: ExitFailed}[c.state]; code != want {
				t.Errorf("exits with %d", code)
			}
		})
	}
}

func TestCheckOfABadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(path, []byte("nats: {replicas: 2}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	code := Main(Worker(), []string{"--check", "--config", path}, &out, new(bytes.Buffer))
	for _, want := range []string{"configuration", "FAILED", "nats.replicas", "providers", "fix the file"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
	if code != ExitFailed {
		t.Errorf("code %d", code)
	}
}

// goBy gives a service another clock of its machine.
func (rt *Runtime) goBy(now func() time.Time) {
	rt.clock, rt.local = clock.New(clock.Machine(now), clockLimits(rt.Config)), now
	rt.Now = rt.clock.Now
}

// Our own clock is the one that is wrong.
func TestCheckFindsOurOwnClock(t *testing.T) {
	s := system(t, exact)
	s.makeStreams(t)
	rt := s.load(t)
	rt.goBy(func() time.Time { return time.Now().Add(time.Minute) })
	rows := selfCheck(t.Context(), rt)
	for _, check := range []string{"NATS clock", "clock of teemopay-kr"} {
		if row := find(t, rows, check); row.state != failed || !strings.Contains(row.result, "behind ours") {
			t.Errorf("%+v", row)
		}
	}
}

// A slow answer explains a difference as long as the answer; a whole second is explained by what a Date is rounded to.
func TestSkewIsOnlyWhatIsCertain(t *testing.T) {
	now := time.Date(2026, 11, 22, 6, 0, 30, 0, time.UTC)
	for name, c := range map[string]struct {
		off, took, rounded time.Duration
		want               state
		result             string
	}{
		"none":                       {0, 0, 0, good, "within 2s of ours"},
		"just good":                  {-2 * time.Second, 0, 0, good, "within 2s of ours"},
		"just a warning":             {-3 * time.Second, 0, 0, warned, "at least 3s behind ours"},
		"a date of this very second": {-999 * time.Millisecond, 0, time.Second, good, "within 2s of ours"},
		"explained by the wait":      {-9 * time.Second, 9 * time.Second, 0, good, "within 2s of ours"},
		"not explained by it":        {-12 * time.Second, 9 * time.Second, 0, warned, "at least 3s behind ours"},
		"just a warning still":       {30 * time.Second, 0, 0, warned, "at least 30s ahead of ours"},
		"failed":                     {31 * time.Second, 0, 0, failed, "at least 31s ahead of ours"},
	} {
		if got := skew("x", now, now.Add(c.off), c.took, c.rounded); got.state != c.want || got.result != c.result || (got.next == "") != (c.want == good) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What a service logs as it starts: each problem with what to do, and the reason why it does not start.
func TestStartSaysWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		redisArgs []string
		change    func(t *testing.T, s checked)
		want      []string
	}{
		"Redis evicts": {redisArgs: []string{"--maxmemory-policy", "allkeys-lru"}, want: []string{"ended", "allkeys-lru", "noeviction in Redis"}},
		"a stream differs": {change: func(t *testing.T, s checked) {
			s.makeStreams(t)
			s.edit(t, "nats:\n", "nats:\n  payments_retention: 500d\n")
		}, want: []string{"ended", "max_age", "payctl streams apply"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := system(t, exact, c.redisArgs...)
			if c.change != nil {
				c.change(t, s)
			}
			logs, err := os.Create(filepath.Join(t.TempDir(), "log")) // the client of NATS writes after the end too
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = logs.Close() })
			if code := Main(Worker(), []string{"--config", s.path}, new(bytes.Buffer), logs); code != ExitFailed {
				t.Errorf("code %d", code)
			}
			text, err := os.ReadFile(logs.Name())
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(string(text), want) {
					t.Errorf("%q is not in\n%s", want, text)
				}
			}
		})
	}
}

// A worker whose clocks and Redis are wrong for the moment starts all the same, and says so.
func TestStartGoesOnWithWhatIsTemporary(t *testing.T) {
	s := system(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
	})
	s.redis.Stop()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	rt, err := Load(Worker(), s.path, writer)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- runWorker(ctx, rt, func(message string) { rt.Logger.Info(message) })
		_ = writer.Close()
	}()
	missing := map[string]bool{"msg=working": true, "check=Redis": true, "check=\"clock of teemopay-kr\"": true}
	var seen bytes.Buffer
	for scan := bufio.NewScanner(reader); scan.Scan(); {
		line := scan.Text()
		seen.WriteString(line + "\n")
		for want := range missing {
			if strings.Contains(line, want) {
				delete(missing, want)
			}
		}
		if len(missing) == 0 {
			cancel()
		}
	}
	if err := <-ended; err != nil && ctx.Err() == nil {
		t.Error(err)
	}
	if len(missing) > 0 {
		t.Errorf("not logged: %v\n%s", missing, &seen)
	}
}
