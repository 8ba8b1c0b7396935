package faults

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// outputs are what the processes wrote, by process.
func (o *observed) outputs(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(o.Dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(path)] = string(text)
	}
	return all
}

// found returns which of the texts are in out, as they are or escaped.
func found(out string, texts []string) (leaks []string) {
	for _, text := range texts {
		for _, form := range []string{text, url.QueryEscape(text), url.PathEscape(text), strings.Trim(strconv.QuoteToASCII(text), `"`)} {
			if strings.Contains(out, form) {
				leaks = append(leaks, text)
				break
			}
		}
	}
	return leaks
}

// checkMasking searches everything that came out for everything that must not.
func (o *observed) checkMasking(t *testing.T, pages map[string]string) {
	texts := append(slices.Clone(personal), o.secrets...)
	outputs := o.outputs(t)
	for name, text := range pages {
		outputs[name] = text
	}
	outputs["OTLP"], outputs["refusals"] = o.collector.all(), o.answers.String()
	for name, marker := range map[string]string{
		"worker.log": "MASKED-1", "ingress.log": "POST /v1/deposits", "doomed.log": "working", "sandbox.log": "listening", "OTLP": "MASKED-1",
		"refusals": "urn:payonce:problem:", "worker/metrics": "payonce_", "ingress/metrics": "payonce_", "ingress/readyz": "ready",
		"bad-password-worker.log": "uthorization", "bad-inline-ingress.log": "password",
	} {
		if !strings.Contains(outputs[name], marker) {
			t.Errorf("%s has no %q: what should be searched is not there", name, marker)
		}
	}
	for name, wants := range map[string][]string{ // what is masked must have been there
		"worker.log": {"handler panicked", "claim store unavailable", "call to the provider failed", "webhook dead-lettered", "x-clarification"},
	} {
		for _, want := range wants {
			if !strings.Contains(outputs[name], want) {
				t.Errorf("%s tells nothing of %q", name, want)
			}
		}
	}
	for name, text := range outputs {
		for _, leak := range found(text, texts) {
			at := strings.Index(text, leak)
			t.Errorf("%s shows %q: …%s…", name, leak, text[max(0, at-300):min(len(text), at+100)])
		}
		for _, planted := range texts { // the search finds what is there, in whatever form
			for _, form := range []string{planted, url.QueryEscape(planted), strconv.QuoteToASCII(planted)} {
				if !slices.Contains(found(text+form, texts), planted) {
					t.Errorf("%s: %q would not be found", name, form)
				}
			}
		}
	}
}

// checkLogs wants the span in every line about a request or a message.
func (o *observed) checkLogs(t *testing.T) {
	lines := 0
	for name, text := range o.outputs(t) {
		if name != "worker.log" && name != "ingress.log" && name != "doomed.log" {
			continue
		}
		for line := range strings.Lines(text) {
			var l map[string]any
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Errorf("%s has a line that is no JSON: %s", name, line)
				continue
			}
			if !ofRequest(l) {
				continue
			}
			lines++
			if trace, _ := l["trace_id"].(string); len(trace) != 32 || len(l["span_id"].(string)) != 16 {
				t.Errorf("%s: a line without its span: %s", name, line)
			}
		}
	}
	if lines < 100 {
		t.Errorf("only %d lines about requests and messages", lines)
	}
}

// ofRequest reports whether a line is about one request or one message: it names it.
func ofRequest(line map[string]any) bool {
	route, asked := line["route"].(string)
	_, order := line["order"]
	_, message := line["sequence"]
	_, request := line["request_id"]
	return order || message && line["msg"] != "message deleted while it was in flight" || request && (!asked || route != "none")
}
