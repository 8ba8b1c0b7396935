package faults

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	measured "go.opentelemetry.io/proto/otlp/metrics/v1"

	common "go.opentelemetry.io/proto/otlp/common/v1"

	"payonce/pkg/events"
)

// page returns what a service shows to its operators.
func (o *observed) page(service, path string) string {
	o.t.Helper()
	_, text := o.Get(o.t.Context(), "http://"+o.admins[service]+path)
	return text
}

func (o *observed) pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for service := range o.admins {
		for _, path := range []string{"/metrics", "/readyz", "/healthz"} {
			all[service+path] = o.page(service, path)
		}
	}
	return all
}

var (
	metricRow  = regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\| `([a-z_]+)` \\| (\\w+) \\| ([a-z_, –]+) \\| ([a-z, ]+) \\|")
	typeLine   = regexp.MustCompile(`(?m)^# TYPE (payonce_\w+) (\w+)$`)
	sampleLine = regexp.MustCompile(`(?m)^(payonce_\w+?)(?:\{(.*)\})? \S+$`)
	label      = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
	word       = regexp.MustCompile(`^[a-z_]*$`)
)

// row is a metric as docs/metrics.md has it.
type row struct {
	name, kind string
	labels     []string
	from       string
}

func documented(t *testing.T) map[string]row {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]row{}
	for _, m := range metricRow.FindAllStringSubmatch(string(text), -1) {
		r := row{m[1], m[3], nil, m[5]}
		if m[4] != "–" {
			r.labels = strings.Split(m[4], ", ")
			slices.Sort(r.labels)
		}
		rows[m[2]] = r
	}
	if len(rows) < 40 {
		t.Fatalf("only %d metrics are documented", len(rows))
	}
	return rows
}

// checkMetrics compares what the services show, and what they sent by OTLP, with docs/metrics.md.
func (o *observed) checkMetrics(t *testing.T, pages map[string]string) {
	rows, seen := documented(t), map[string]bool{}
	closed := o.closedLists(t)
	for service := range o.admins {
		text := pages[service+"/metrics"]
		types := map[string]string{}
		for _, m := range typeLine.FindAllStringSubmatch(text, -1) {
			types[m[1]] = m[2]
			r, known := rows[m[1]]
			if want := map[string]string{"sum": "gauge"}[r.kind]; !known || m[2] != r.kind && m[2] != want {
				t.Errorf("%s shows %s of type %s, docs/metrics.md has %q", service, m[1], m[2], r.kind)
			}
			if !strings.Contains(r.from, service) && r.from != "all" {
				t.Errorf("%s shows %s, which comes from %s", service, m[1], r.from)
			}
		}
		for _, m := range sampleLine.FindAllStringSubmatch(text, -1) {
			name, histogram := family(m[1], types)
			seen[name] = true
			var names []string
			for _, l := range label.FindAllStringSubmatch(m[2], -1) {
				if histogram && l[1] == "le" {
					continue
				}
				names = append(names, l[1])
				if !closed(l[1], l[2]) {
					t.Errorf("%s: %s=%q is from no closed list", name, l[1], l[2])
				}
			}
			slices.Sort(names)
			if !slices.Equal(names, rows[name].labels) {
				t.Errorf("%s has the labels %q, docs/metrics.md %q", name, names, rows[name].labels)
			}
		}
		if n := strings.Count(text, "\npayonce_"); n > 3000 {
			t.Errorf("%s shows %d series", service, n)
		}
	}
	for name, r := range rows {
		if !seen[name] && !besidePayments(r) {
			t.Errorf("%s is documented and was not there after all that happened", name)
		}
	}
	o.checkSent(t, rows, closed)
}

// besidePayments reports whether a metric is of a program that does not run here: internal/app tests the archive's, pkg/endpoints the
// notifier's.
func besidePayments(r row) bool { return r.from == "archive" || r.from == "notifier" }

// family is the metric of a sample: a histogram's has an end.
func family(sample string, types map[string]string) (name string, histogram bool) {
	for _, end := range []string{"_bucket", "_sum", "_count"} {
		if name, cut := strings.CutSuffix(sample, end); cut && types[name] == "histogram" {
			return name, true
		}
	}
	return sample, false
}

// checkSent looks at the names, units and labels that the collector got.
func (o *observed) checkSent(t *testing.T, rows map[string]row, closed func(string, string) bool) {
	for prometheus, r := range rows {
		if !o.collector.has(r.name) && !besidePayments(r) {
			t.Errorf("%s was not sent by OTLP", r.name)
		}
		for _, m := range o.collector.metrics[r.name] {
			seconds := strings.HasSuffix(strings.TrimSuffix(prometheus, "_total"), "_seconds")
			if (m.Unit == "s") != seconds || m.Unit != "" && m.Unit != "s" {
				t.Fatalf("%s has the unit %q, and is called %s", r.name, m.Unit, prometheus)
			}
			for _, attributes := range points(m) {
				checkAttributes(t, r, attributes, closed)
			}
		}
	}
}

func checkAttributes(t *testing.T, r row, attributes []*common.KeyValue, closed func(string, string) bool) {
	var names []string
	for _, a := range attributes {
		names = append(names, a.Key)
		if value := strings.Trim(valueText(a.Value), `"`); !closed(a.Key, value) {
			t.Fatalf("OTLP: %s: %s=%q is from no closed list", r.name, a.Key, value)
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, r.labels) {
		t.Fatalf("OTLP: %s has the attributes %q, want %q", r.name, names, r.labels)
	}
}

func points(m *measured.Metric) (all [][]*common.KeyValue) {
	for _, p := range slices.Concat(m.GetSum().GetDataPoints(), m.GetGauge().GetDataPoints()) {
		all = append(all, p.Attributes)
	}
	for _, p := range m.GetHistogram().GetDataPoints() {
		all = append(all, p.Attributes)
	}
	return all
}

var providerKey = regexp.MustCompile(`(?m)^  ([a-z0-9-]+):\n    \w`)

// closedLists says which values labels can have: names out of the configuration, and words that are in our own
// sources. Nothing that an upstream or a provider can make up.
func (o *observed) closedLists(t *testing.T) func(label, value string) bool {
	t.Helper()
	config, err := os.ReadFile(o.Config)
	if err != nil {
		t.Fatal(err)
	}
	providers := map[string]bool{"unknown": true}
	for _, m := range providerKey.FindAllStringSubmatch(string(config), -1) {
		providers[m[1]] = true
	}
	if len(providers) != 9 {
		t.Fatalf("providers: %v", slices.Collect(maps.Keys(providers)))
	}
	words := wordsOfSources(t)
	return func(label, value string) bool {
		switch label {
		case "provider":
			return providers[value]
		case "key":
			return value == "testenv" || value == "limited"
		case "upstream":
			return value == "shop"
		case "stream":
			return slices.Contains([]string{events.StreamCommands, events.StreamWebhooks, events.StreamPayments, events.StreamDeadLetters, events.StreamAudit, events.StreamActions, events.StreamRefusedWebhooks, events.StreamHeartbeats, events.StreamRefusals, events.StreamBalances, events.IntakeStream("shop")}, value)
		case "version":
			return strings.HasPrefix(value, "(devel)") || strings.HasPrefix(value, "v")
		case "code": // one that a connector or the configuration calls misconfigured
			return value == "0004"
		case "step": // of the look-up schedule, and of pages
			return value == "threshold" || lookupStep.MatchString(value)
		case "duplicate":
			return value == "true" || value == "false"
		}
		return word.MatchString(value) && words[value]
	}
}

var lookupStep = regexp.MustCompile(`^(page)?[1-9]$`)

var literal = regexp.MustCompile(`"([a-z_]*)"`)

// wordsOfSources are the lower-case texts in the sources of the programs.
func wordsOfSources(t *testing.T) map[string]bool {
	t.Helper()
	words := map[string]bool{}
	for _, top := range []string{"../../pkg", "../../internal/app"} {
		err := filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			for _, m := range literal.FindAllStringSubmatch(string(source), -1) {
				words[m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return words
}
