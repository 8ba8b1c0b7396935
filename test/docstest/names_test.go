package docstest

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"payonce/pkg/config"
	"payonce/pkg/payment"
)

// source are the names and words of everything that is no page.
type source struct {
	words, tests, metrics, series, alerts map[string]bool
}

var (
	aWord       = regexp.MustCompile(`\w+`)
	aSnake      = regexp.MustCompile(`^[a-z]+(_[a-z0-9]+)+$`)
	aMetricName = regexp.MustCompile(`^payonce\.[a-z_.]+$`)
	aSeries     = regexp.MustCompile(`^payonce_[a-z_]+$`)
	anAlert     = regexp.MustCompile(`^Payonce[A-Z]\w+$`)
	anOutcome   = regexp.MustCompile(`^payment\.([a-z_]+)(\.[^ ]+)?$`)
	aSetting    = regexp.MustCompile(`^(nats|redis|ingress|worker|log)\.([a-z_]+)(\.[a-z_]+)*(: .*)?$`)
	aPath       = regexp.MustCompile(`^(\./)?(pkg|internal|cmd|deploy|docs|examples)/[\w./-]+$`)
	ofText      = []string{".go", ".yaml", ".yml", ".json", ".conf", ".tmpl", ".env", ".lua", ""}
)

func readSource(t *testing.T) source {
	t.Helper()
	s := source{words: map[string]bool{}, tests: declaredTests(t), metrics: map[string]bool{}, series: series(t), alerts: map[string]bool{}}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (len(entry.Name()) > 2 && entry.Name()[0] == '.' || entry.Name() == "docstest" || entry.Name() == "bin" || entry.Name() == "node_modules") {
			return fs.SkipDir
		}
		if entry.IsDir() || !slices.Contains(ofText, filepath.Ext(path)) {
			return nil
		}
		data, err := os.ReadFile(path)
		for _, word := range aWord.FindAllString(string(data), -1) {
			s.words[word] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	kinds, _ := metricsInCode(t)
	for name := range maps.Keys(kinds) {
		s.metrics[name] = true
	}
	for name := range s.series { // a page names the histogram, a query its parts
		s.series[strings.TrimSuffix(name, "_bucket")] = true
	}
	for _, a := range alerts(t) {
		s.alerts[a.Alert] = true
	}
	return s
}

// missing says what a name between backticks claims to be and is not; empty when it is, or claims nothing.
func (s source) missing(name string) string {
	switch outcome, setting := anOutcome.FindStringSubmatch(name), aSetting.FindStringSubmatch(name); {
	case strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".conf") || strings.HasSuffix(name, ".password") || strings.HasSuffix(name, ".seed"):
		return absent(name, !aPath.MatchString(name) || exists(name) == nil, "file")
	case aTest.MatchString(name):
		return absent(name, s.tests[name], "test")
	case aMetricName.MatchString(name):
		return absent(name, s.metrics[name], "metric")
	case aSeries.MatchString(name):
		return absent(name, s.series[name], "metric of Prometheus")
	case anAlert.MatchString(name):
		return absent(name, s.alerts[name], "alert")
	case outcome != nil:
		return absent(name, slices.Contains(payment.Statuses(), payment.Status(outcome[1])), "status")
	case setting != nil:
		return absent(name, hasSetting(reflect.TypeFor[config.Config](), strings.Split(strings.Split(name, ":")[0], ".")), "setting")
	case aPath.MatchString(name):
		return absent(name, exists(name) == nil, "path")
	case aSnake.MatchString(name):
		return absent(name, s.words[name], "word in the code")
	}
	return ""
}

func absent(name string, there bool, kind string) string {
	if there {
		return ""
	}
	return "there is no " + kind + " " + name
}

// hasSetting follows a dotted name through the configuration. A secret is given as a file or a variable.
func hasSetting(in reflect.Type, names []string) bool {
	for in.Kind() == reflect.Pointer || in.Kind() == reflect.Map || in.Kind() == reflect.Slice {
		in = in.Elem()
	}
	if in.Kind() != reflect.Struct {
		return false
	}
	for i := range in.NumField() {
		field := in.Field(i)
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if field.Anonymous && key == "" && hasSetting(field.Type, names) {
			return true
		}
		if key == "" || key != names[0] && key+"_file" != names[0] && key+"_env" != names[0] {
			continue
		}
		return len(names) == 1 || hasSetting(field.Type, names[1:])
	}
	return false
}

// Statuses, reasons, metrics, settings, alerts, tests, files and fields have the same names in pages and code.
func TestNamesOfAllPages(t *testing.T) {
	s := readSource(t)
	for _, page := range allPages(t) {
		if strings.HasSuffix(page.path, "UPGRADING.md") { // it names what is gone
			continue
		}
		_, outside := blocks(page.text)
		for _, name := range quoted.FindAllStringSubmatch(outside, -1) {
			if problem := s.missing(name[1]); problem != "" {
				t.Errorf("%s: %s", page.path, problem)
			}
		}
	}
}

func TestWrongNamesAreSeen(t *testing.T) {
	s := readSource(t)
	for _, wrong := range []string{
		"TestNothingAtAll", "payonce.payments.overdo", "payonce_payments_overdo", "PayonceNothing", "payment.setled.>", "nats.payments_retenton", "worker.nothing",
		"nats.tls.nothing", "redis.required.more", "pkg/nothing", "deploy/nats/nothing.conf", "order_reussed",
	} {
		if s.missing(wrong) == "" {
			t.Errorf("%s is not seen", wrong)
		}
	}
}
