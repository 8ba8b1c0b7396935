package deploytest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"payonce/internal/app"
	"payonce/internal/streamconfig"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

const scaledProvider = "teemopay-kr"

// TestParkedPaymentsKeepNobodyUp asks the shipped queries of KEDA what the metrics of a real ingress say: nothing
// while all commands are parked, and how many there are and how old the first is as soon as some could be worked on.
// Prometheus' own promtool evaluates them.
func TestParkedPaymentsKeepNobodyUp(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		if os.Getenv("REQUIRE_SERVICES") != "" {
			t.Fatal(err)
		}
		t.Skip("no promtool: apt-get install prometheus")
	}
	metrics, conn := reportingIngress(t)
	for i := range 3 {
		command(t, conn, fmt.Sprintf("P-%d", i))
	}
	oldest, ready := queries(t)
	parked := scraped(t, metrics, `payonce_queue_ready{provider="`+scaledProvider+`",stream="COMMANDS"} 3`)
	if ask(t, parked, oldest) <= 0 || ask(t, parked, ready) != 3 {
		t.Errorf("with 3 commands that wait: the oldest is %v, and there are %v", ask(t, parked, oldest), ask(t, parked, ready))
	}
	park(t, conn, 3)
	parked = scraped(t, metrics, `payonce_queue_ready{provider="`+scaledProvider+`",stream="COMMANDS"} 0`, `payonce_queue_unacknowledged{provider="`+scaledProvider+`",stream="COMMANDS"} 0`)
	for _, query := range []string{oldest, ready} {
		if n := ask(t, parked, query); n != 0 {
			t.Errorf("with 3 parked commands and nothing else %s is %v", query, n)
		}
	}
	// What a worker has in flight is no reason for another worker either.
	release := make(chan struct{})
	taken, stop := consume(t, conn, func() queue.Verdict { <-release; return queue.ParkUntil(time.Now().Add(48 * time.Hour)) })
	command(t, conn, "P-8")
	<-taken
	inFlight := scraped(t, metrics, `payonce_queue_ready{provider="`+scaledProvider+`",stream="COMMANDS"} 0`, `payonce_queue_unacknowledged{provider="`+scaledProvider+`",stream="COMMANDS"} 1`)
	if ask(t, inFlight, oldest) != 0 || ask(t, inFlight, ready) != 0 {
		t.Errorf("with 1 command in flight: the oldest is %v, and there are %v", ask(t, inFlight, oldest), ask(t, inFlight, ready))
	}
	close(release)
	stop()
	// Two ingresses report the same: it must not count twice.
	command(t, conn, "P-9")
	waiting := scraped(t, metrics, `payonce_queue_ready{provider="`+scaledProvider+`",stream="COMMANDS"} 1`)
	if n := ask(t, append(waiting, waiting...), ready); n != 1 {
		t.Errorf("1 command that two ingresses see counts as %v", n)
	}
}

// queries are those of the ScaledObject: the age of the oldest ready message, and how many are ready.
func queries(t *testing.T) (oldest, ready string) {
	t.Helper()
	triggers, _ := at(documents(t, "deploy/kubernetes/overlays/production/scaling.yaml")[0], "spec", "triggers").([]any)
	if len(triggers) != 2 {
		t.Fatalf("there are %d triggers", len(triggers))
	}
	for i, trigger := range triggers {
		// AverageValue is divided by the number of workers, Value is not: an age grows no smaller with more of them.
		if want := []string{"Value", "AverageValue"}[i]; at(trigger, "metricType") != want || at(trigger, "type") != "prometheus" {
			t.Errorf("trigger %d is %v, want %s", i, trigger, want)
		}
	}
	return fmt.Sprint(at(triggers[0], "metadata", "query")), fmt.Sprint(at(triggers[1], "metadata", "query"))
}

// reportingIngress runs an ingress, and returns where its metrics are and a connection to its NATS.
func reportingIngress(t *testing.T) (metrics string, conn *jetstream.Conn) {
	t.Helper()
	nats := natstest.Start(t)
	s := testenv.NewSystem(t, t.TempDir(), testenv.Addresses{
		NATS: []string{nats.URL()}, Redis: miniredis.RunT(t).Addr(), Sandbox: "http://127.0.0.1:1",
	}, nil)
	admin := s.Admin("ingress")
	rt, err := app.Load(app.Ingress(), s.Config, io.Discard)
	s.Must(err)
	testenv.Serve(t, func(ctx context.Context, ready func(string)) error { return app.Ingress().Run(ctx, rt, ready) })
	conn = testenv.Connect(t, jetstream.Options{URLs: []string{nats.URL()}, Inbox: "_INBOX.test", Config: streamconfig.Of(rt.Config)}).Conn
	return "http://" + admin + "/metrics", conn
}

func command(t *testing.T, conn *jetstream.Conn, order string) {
	t.Helper()
	ref := payment.Ref{Provider: scaledProvider, Order: order}
	err := conn.PublishCommand(bounded(t), events.Outgoing{Subject: events.CommandSubject(payment.Deposit, ref), Data: []byte("{}")})
	testenv.Must(t, err)
}

// park lets a consumer park that many commands, as a worker does while a provider is closed.
func park(t *testing.T, conn *jetstream.Conn, n int) {
	t.Helper()
	taken, stop := consume(t, conn, func() queue.Verdict { return queue.ParkUntil(time.Now().Add(48 * time.Hour)) })
	for range n {
		select {
		case <-taken:
		case <-time.After(timeout):
			t.Fatal("the commands do not come")
		}
	}
	stop()
}

// consume takes commands one after another, and says so before it handles one. stop waits for the end.
func consume(t *testing.T, conn *jetstream.Conn, handle func() queue.Verdict) (taken <-chan struct{}, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(bounded(t))
	coming, ended := make(chan struct{}, 16), make(chan error, 1)
	go func() {
		ended <- conn.ConsumeCommands(ctx, scaledProvider, 1, func(context.Context, events.Message) queue.Verdict {
			coming <- struct{}{}
			return handle()
		})
	}()
	return coming, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestProbesAreAnswered by a real ingress, whose listener for operators is the worker's too.
func TestProbesAreAnswered(t *testing.T) {
	metrics, _ := reportingIngress(t)
	for _, name := range []string{"ingress", "worker"} {
		for _, probe := range []string{"livenessProbe", "readinessProbe", "startupProbe"} {
			get := at(workloads(t)[name], "spec", "template", "spec", "containers", "0", probe, "httpGet")
			path := fmt.Sprint(at(get, "path"))
			reply, err := http.Get(strings.Replace(metrics, "/metrics", path, 1))
			testenv.Must(t, err)
			_ = reply.Body.Close()
			// Only readiness may ask for NATS: a restart does not bring it back.
			if reply.StatusCode != http.StatusOK || at(get, "port") != "admin" || (path == "/readyz") != (probe == "readinessProbe") {
				t.Errorf("%s: its %s asks %v, answered %s", name, probe, get, reply.Status)
			}
		}
	}
}

// scraped returns the metrics of the queue as soon as all lines are among them.
func scraped(t *testing.T, url string, want ...string) (lines []string) {
	t.Helper()
	eventually(t, strings.Join(want, ", "), func() bool {
		reply, err := http.Get(url)
		testenv.Must(t, err)
		defer func() { _ = reply.Body.Close() }()
		text, err := io.ReadAll(reply.Body)
		testenv.Must(t, err)
		lines = nil
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "payonce_queue_") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
		return !slices.ContainsFunc(want, func(line string) bool { return !slices.Contains(lines, line) })
	})
	return lines
}

var gotSample = regexp.MustCompile(`got: \{\} ([0-9.eE+-]+)\n`)

// ask returns the value of a query, which must be one number. promtool only compares: it is given a wrong one.
func ask(t *testing.T, lines []string, query string) float64 {
	t.Helper()
	var file strings.Builder
	file.WriteString("evaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n")
	for i, line := range lines {
		series, value, _ := strings.Cut(line, "} ")
		series = strings.TrimSuffix(series, "}")
		if !strings.Contains(series, "{") {
			continue // has no labels and is no level
		}
		fmt.Fprintf(&file, "      - {series: '%s,instance=\"%d\"}', values: '%s'}\n", series, i, value)
	}
	fmt.Fprintf(&file, "    promql_expr_test:\n      - {expr: '%s', eval_time: 0m, exp_samples: [{labels: '{}', value: -1}]}\n", query)
	path := filepath.Join(t.TempDir(), "test.yaml")
	testenv.Must(t, os.WriteFile(path, []byte(file.String()), 0o600))
	out, err := exec.CommandContext(t.Context(), "promtool", "test", "rules", path).CombinedOutput()
	found := gotSample.FindSubmatch(out)
	if err == nil || found == nil {
		t.Fatalf("%s has not one value: %v %s", query, err, out)
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	testenv.Must(t, err)
	return n
}
