package docstest

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"payonce/pkg/search"

	"go.yaml.in/yaml/v4"
)

const root = "../.."

var (
	namedMetric = regexp.MustCompile(`\b((?:Metric|Counter)[A-Za-z]+) += "(payonce\.[a-z_.]+)"`)
	madeMetric  = regexp.MustCompile(`\.(Int64|Float64)(Observable)?(Counter|UpDownCounter|Gauge|Histogram)\(((?:Metric|Counter)[A-Za-z]+)(, metric\.WithUnit\("s"\))?`)
	metricRow   = regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\| `([a-z_]+)` \\| (\\w+) \\| ([a-z_, –]+) \\|")
	grouping    = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right) ?\(([^)]*)\)`)
	selector    = regexp.MustCompile(`(payonce_[a-z_]+)(?:\{([^}]*)\})?`)
	matcher     = regexp.MustCompile(`(\w+) ?(?:=~|!~|!=|=)`)
	templated   = regexp.MustCompile(`\$labels\.(\w+)`)
	usedMetric  = regexp.MustCompile(`payonce_[a-z_]+`)
)

func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// metricsInCode returns what the code makes: by name the kind, and by name what Prometheus calls it. Names of
// constants are unique within a package.
func metricsInCode(t *testing.T) (kinds, scraped map[string]string) {
	t.Helper()
	names, made := map[string]string{}, map[string][]string{} // by folder and constant
	for _, top := range []string{"pkg", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			for _, m := range namedMetric.FindAllStringSubmatch(string(source), -1) {
				names[filepath.Dir(path)+" "+m[1]] = m[2]
			}
			for _, m := range madeMetric.FindAllStringSubmatch(string(source), -1) {
				made[filepath.Dir(path)+" "+m[4]] = []string{m[3], m[5]}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	kinds, scraped = map[string]string{}, map[string]string{}
	for constant, name := range names {
		how, ok := made[constant]
		if !ok {
			t.Errorf("%s (%s) is made nowhere", constant, name)
			continue
		}
		kind := map[string]string{"Counter": "counter", "UpDownCounter": "sum", "Gauge": "gauge", "Histogram": "histogram"}[how[0]]
		prometheus := strings.ReplaceAll(name, ".", "_")
		if how[1] != "" {
			prometheus += "_seconds"
		}
		if kind == "counter" {
			prometheus += "_total"
		}
		kinds[name], scraped[name] = kind, prometheus
	}
	return kinds, scraped
}

func TestMetricsAreDocumented(t *testing.T) {
	kinds, scraped := metricsInCode(t)
	if len(kinds) == 0 {
		t.Fatal("no metric is found: nothing would be checked")
	}
	rows := map[string]bool{}
	for _, row := range metricRow.FindAllStringSubmatch(text(t, "docs/metrics.md"), -1) {
		rows[row[1]] = true
		if kinds[row[1]] != row[3] || scraped[row[1]] != row[2] {
			t.Errorf("docs/metrics.md: %s is %q %s, the code has %q %s", row[1], row[2], row[3], scraped[row[1]], kinds[row[1]])
		}
	}
	for name := range kinds {
		if !rows[name] {
			t.Errorf("docs/metrics.md lacks %s", name)
		}
	}
}

// series are the names that Prometheus knows.
func series(t *testing.T) map[string]bool {
	kinds, scraped := metricsInCode(t)
	known := map[string]bool{}
	for name, prometheus := range scraped {
		if kinds[name] != "histogram" {
			known[prometheus] = true
			continue
		}
		for _, end := range []string{"_bucket", "_sum", "_count"} {
			known[prometheus+end] = true
		}
	}
	return known
}

// scrapedLabels are the labels that the scraper itself adds.
var scrapedLabels = []string{"job", "instance", "le"}

// labelsOfSeries are the labels of each series, as docs/metrics.md has them. A test of test/faults compares
// that page with what the programs show.
func labelsOfSeries(t *testing.T) map[string][]string {
	t.Helper()
	labels := map[string][]string{}
	for _, row := range metricRow.FindAllStringSubmatch(text(t, "docs/metrics.md"), -1) {
		of := slices.Concat(scrapedLabels, strings.Split(row[4], ", "))
		for _, end := range []string{"", "_bucket", "_sum", "_count"} {
			labels[row[2]+end] = of
		}
	}
	return labels
}

// unknownLabels lists labels that an expression, or the text of its alert, names and its series lack.
func unknownLabels(expr, text string, labels map[string][]string) (wrong []string) {
	var named []string
	for _, m := range grouping.FindAllStringSubmatch(expr, -1) {
		for name := range strings.SplitSeq(m[1], ",") {
			named = append(named, strings.TrimSpace(name))
		}
	}
	for _, m := range templated.FindAllStringSubmatch(text, -1) {
		named = append(named, m[1])
	}
	for _, m := range selector.FindAllStringSubmatch(grouping.ReplaceAllString(expr, ""), -1) {
		of := named
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			of = append(slices.Clone(of), l[1])
		}
		for _, name := range of {
			if name != "" && !slices.Contains(labels[m[1]], name) {
				wrong = append(wrong, m[1]+" has no label "+name)
			}
		}
	}
	return wrong
}

func TestUnknownLabelsAreFound(t *testing.T) {
	labels := map[string][]string{"payonce_ready": {"service"}}
	for expr, want := range map[string]int{
		`max by (service) (payonce_ready{service="worker"})`:       0,
		`max by (servce) (payonce_ready)`:                          1,
		`max(payonce_ready{servce=~"worker|ingress"})`:             1,
		`sum by (provider, service) (payonce_ready{provider="x"})`: 2,
	} {
		if wrong := unknownLabels(expr, "", labels); len(wrong) != want {
			t.Errorf("%s: %q", expr, wrong)
		}
	}
	if wrong := unknownLabels("payonce_ready == 0", "No {{ $labels.servce }}.", labels); len(wrong) != 1 {
		t.Errorf("a text: %q", wrong)
	}
}

type alert struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Annotations map[string]string `yaml:"annotations"`
}

func alerts(t *testing.T) (all []alert) {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []alert `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal([]byte(text(t, "deploy/observability/payonce.rules.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

func TestAlertsAndDashboardUseMetricsThatExist(t *testing.T) {
	known := series(t)
	labels := labelsOfSeries(t)
	check := func(where, expr, text string) {
		for _, wrong := range unknownLabels(expr, text, labels) {
			t.Errorf("%s: %s", where, wrong)
		}
		used := usedMetric.FindAllString(expr, -1)
		if len(used) == 0 {
			t.Errorf("%s uses no metric", where)
		}
		for _, name := range used {
			if !known[name] {
				t.Errorf("%s uses %s, which nobody makes", where, name)
			}
		}
	}
	for _, a := range alerts(t) {
		check(a.Alert, a.Expr, a.Annotations["summary"])
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(text(t, "deploy/observability/dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Panels) == 0 {
		t.Error("the dashboard is empty")
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			check("panel "+panel.Title, target.Expr, "")
		}
	}
}

// checkLinks: each alert leads to its page, and one that names a provider to the list of the payments meant, with filters that the
// console and GET /v1/payments know.
func checkLinks(t *testing.T, a alert) {
	t.Helper()
	if want := "{{ $externalLabels.runbooks }}/" + a.Alert + ".md"; a.Annotations["runbook_url"] != want {
		t.Errorf("%s: runbook_url is %q, want %q", a.Alert, a.Annotations["runbook_url"], want)
	}
	link, has := a.Annotations["console_url"]
	if names := strings.Contains(a.Annotations["summary"], "$labels.provider"); names != has {
		t.Errorf("%s: names a provider: %t, has a console_url: %t", a.Alert, names, has)
	}
	if !has {
		return
	}
	filled := strings.NewReplacer("{{ $labels.provider }}", "x", "{{ $labels.operation }}", "payout", "{{ $labels.reason }}", "x").Replace(link)
	path, found := strings.CutPrefix(filled, "{{ $externalLabels.console }}")
	at, err := url.Parse(path)
	if !found || err != nil || at.Path != "/payments" && at.Path != "/dead-letters" {
		t.Errorf("%s: console_url is %q: %v", a.Alert, link, err)
		return
	}
	if _, problems := search.Parse(at.Query()); len(problems) > 0 || at.Path == "/payments" && at.Query().Get("provider") != "x" {
		t.Errorf("%s: console_url %q: %v", a.Alert, link, problems)
	}
	for _, m := range templated.FindAllStringSubmatch(link, -1) {
		if !strings.Contains(a.Expr, m[1]) {
			t.Errorf("%s: console_url uses the label %s, which its condition has not", a.Alert, m[1])
		}
	}
}

// Every alert has its page, which names the same condition and only commands of payctl that exist, and every
// page its alert.
func TestAlertsHaveRunbooks(t *testing.T) {
	var names []string
	payctl := text(t, "docs/payctl.md")
	for _, a := range alerts(t) {
		names = append(names, a.Alert)
		page := text(t, "docs/runbooks/"+a.Alert+".md")
		if a.Annotations["runbook"] != "docs/runbooks/"+a.Alert+".md" || a.Annotations["summary"] == "" {
			t.Errorf("%s: its annotations are %v", a.Alert, a.Annotations)
		}
		checkLinks(t, a)
		if !strings.Contains(page, a.Expr) || !strings.Contains(page, "## Look at") || !strings.Contains(page, "## Do") {
			t.Errorf("the page of %s lacks its condition or a part", a.Alert)
		}
		for _, typed := range regexp.MustCompile(`(?m)^payctl [a-z]+ [a-z]+`).FindAllString(page, -1) {
			if !strings.Contains(payctl, typed) {
				t.Errorf("the page of %s says %q, which docs/payctl.md does not know", a.Alert, typed)
			}
		}
	}
	index := part(t, text(t, "docs/operators.md"), "alerts")
	for _, a := range alerts(t) { // every alert is in the index with what its page says first
		_, after, _ := strings.Cut(text(t, "docs/runbooks/"+a.Alert+".md"), "\n\n")
		first, _, _ := strings.Cut(after, "\n")
		what, severity, found := strings.Cut(strings.TrimSuffix(first, "."), ". Severity: ")
		if row := fmt.Sprintf("| [%[1]s](runbooks/%[1]s.md) | %[2]s | %[3]s |", a.Alert, severity, what); !found || !strings.Contains(index, row) {
			t.Errorf("docs/operators.md has no row %s", row)
		}
	}
	pages, err := os.ReadDir(filepath.Join(root, "docs/runbooks"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if !slices.Contains(names, strings.TrimSuffix(page.Name(), ".md")) {
			t.Errorf("docs/runbooks/%s is of no alert", page.Name())
		}
	}
}
