package connectortest

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

func TestHarnessWithAHole(t *testing.T) {
	if problems := acmeHarness(none).problems(); len(problems) > 0 {
		t.Fatalf("nothing is missing: %q", problems)
	}
	for want, change := range map[string]func(h *Harness){
		"New must":                      func(h *Harness) { h.New = nil },
		"Now must":                      func(h *Harness) { h.Now = time.Time{} },
		"Command must":                  func(h *Harness) { h.Command.Amount = payment.Money{} },
		"Traits must":                   func(h *Harness) { h.Traits.SettlingDelay = 0 },
		"Traits.RefusesDuplicates and":  func(h *Harness) { h.Traits.RefusesDuplicates = false },
		"Secrets must":                  func(h *Harness) { h.Secrets = nil },
		"Secrets[0] is too short":       func(h *Harness) { h.Secrets = []string{"x"} },
		"Submit.Example":                func(h *Harness) { h.Submit.Example = Example{} },
		"Submit.OrderField":             func(h *Harness) { h.Submit.Amount = nil },
		"Submit.Verify":                 func(h *Harness) { h.Submit.Verify = nil },
		"Submit.Accepted must":          func(h *Harness) { h.Submit.Accepted = nil },
		"Submit.Codes must":             func(h *Harness) { h.Submit.UnknownCodes = nil },
		"Submit.Statuses must":          func(h *Harness) { h.Submit.Statuses = nil },
		"Submit.Codes or Statuses must": func(h *Harness) { h.Submit.Codes, h.Submit.Statuses = h.Submit.Codes[1:], h.Submit.Statuses[:1] },
		"Submit.Refusal must":           func(h *Harness) { h.Submit.Refusal = nil },
		"Submit.AmountEcho must": func(h *Harness) {
			h.Submit.Accepted = func(order string, _ payment.Money) Reply { return Reply{Body: order} }
		},
		"Submit.OrderEcho must": func(h *Harness) {
			h.Submit.Accepted = func(_ string, amount payment.Money) Reply { return Reply{Body: amount.Value()} }
		},
		"Lookup.Queries must":        func(h *Harness) { h.Lookup.Queries = nil },
		"Lookup.Status,":             func(h *Harness) { h.Lookup.Status = nil },
		"Lookup.Statuses must":       func(h *Harness) { h.Lookup.Statuses = h.Lookup.Statuses[:1] },
		"Lookup.Errors must":         func(h *Harness) { h.Lookup.Errors = nil },
		"Lookup.Unknown must":        func(h *Harness) { h.Lookup.Unknown = nil },
		"Webhooks.Make,":             func(h *Harness) { h.Webhooks.Make = nil },
		"Webhooks.Statuses must":     func(h *Harness) { h.Webhooks.Statuses = h.Webhooks.Statuses[1:] },
		"Webhooks must have":         func(h *Harness) { h.Webhooks.SignatureField = "sign" },
		"Webhooks.Answer must":       func(h *Harness) { h.Webhooks.Answer = connectors.Answer{} },
		"Submit.Code must":           func(h *Harness) { h.Absent = map[string]string{"Submit.Code": "page 1"} },
		"Absent: Submit.Code has no": func(h *Harness) { h.Absent = map[string]string{"Submit.Code": ""} },
		"Absent: there is no part":   func(h *Harness) { h.Absent = map[string]string{"Submit.Verify": "page 1"} },
		"Lookup.OrderEcho must be": func(h *Harness) {
			h.Lookup.Status = func(_ string, _ payment.Money, status string) Reply { return Reply{Body: status} }
		},
	} {
		h := acmeHarness(none)
		change(&h)
		if problems := h.problems(); !slices.ContainsFunc(problems, func(p string) bool { return strings.HasPrefix(p, want) }) {
			t.Errorf("want %q, got %q", want, problems)
		}
	}
	h := acmeHarness(none)
	h.Submit.Refusal, h.Absent = nil, map[string]string{"Submit.Refusal": "page 1: texts are fixed"}
	if problems := h.problems(); len(problems) > 0 || has("Submit.Refusal")(h) {
		t.Errorf("what is absent with a reason is no problem, and is not tested: %q", problems)
	}
}

func TestSourcesThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"import \"os\"":       "imports \"os\"",
		"import \"log/slog\"": "imports \"log/slog\"",
		"func f() { go f() }": "starts a goroutine",
		"func init() {}":      "init function",
		"import \"net/http\"\nvar c = http.DefaultClient":                  "http.DefaultClient",
		"import \"net/http\"\nvar p = http.ProxyFromEnvironment":           "reads the environment",
		"import \"time\"\nvar n = time.Now":                                "the clock is given",
		"func f( {":                                                        "expected",
		"import \"time\"\nconst day = 24 * time.Hour\nfunc (x) init() {} ": "",
	} {
		h := Harness{Sources: fstest.MapFS{"a.go": {Data: []byte("package a\n" + text)}, "a_test.go": {Data: []byte("package a\nimport \"os\"")}}}
		switch problems := strings.Join(h.sourceProblems(), "\n"); {
		case want == "" && problems != "":
			t.Errorf("%q is refused: %s", text, problems)
		case !strings.Contains(problems, want):
			t.Errorf("%q: got %q, want %q", text, problems, want)
		}
	}
	if problems := (Harness{Sources: fstest.MapFS{}}).sourceProblems(); len(problems) == 0 {
		t.Error("no file, and no problem")
	}
}

func TestExampleDiffers(t *testing.T) {
	e := Example{Method: "POST", Target: "/pay?a=1", Header: map[string]string{"app_code": "x"}, Body: `{"o":{"n":"1","l":[2]},"sign":"s"}`, Fresh: []string{"sign"}}
	good := Received{Method: "POST", Target: "/pay?a=1", Lines: []string{"Host: h", "app_code: x"}, Body: []byte(`{"sign":"t","o":{"l":[2],"n":"1"}}`)}
	if problems := e.differs(good); len(problems) > 0 {
		t.Fatalf("got %q", problems)
	}
	for want, change := range map[string]func(r *Received){
		"the example is POST /pay":           func(r *Received) { r.Method = "PUT" },
		"sent POST /pay/":                    func(r *Received) { r.Target = "/pay/?a=1" },
		"the field a is \"2\"":               func(r *Received) { r.Target = "/pay?a=2" },
		"o.n is \"1\", the example has":      func(r *Received) { r.Body = []byte(`{"sign":"t","o":{"l":[2],"n":1}}`) },
		"the field o.l.0 is \"\"":            func(r *Received) { r.Body = []byte(`{"sign":"t","o":{"l":[],"n":"1"}}`) },
		"the field sign is missing":          func(r *Received) { r.Body = []byte(`{"o":{"l":[2],"n":"1"}}`) },
		"the field x (\"1\") is not in":      func(r *Received) { r.Body = []byte(`{"x":1,"sign":"t","o":{"l":[2],"n":"1"}}`) },
		"o.n occurs twice":                   func(r *Received) { r.Body = []byte(`{"sign":"t","o":{"l":[2],"n":"1","n":"1"}}`) },
		"a occurs twice":                     func(r *Received) { r.Target = "/pay?a=1&a=1" },
		"something stands behind":            func(r *Received) { r.Body = append(r.Body, '1') },
		"not one JSON document":              func(r *Received) { r.Body = r.Body[:9] },
		"the header app_code is \"\"":        func(r *Received) { r.Lines[1] = "App_code: x" },
		"the header App-Code is not in":      func(r *Received) { r.Lines = append(r.Lines, "App-Code: x") },
		"the header app_code is \"\", the e": func(r *Received) { r.Lines = append(r.Lines, "app_code: x") },
	} {
		r := good
		r.Lines, r.Body = slices.Clone(good.Lines), slices.Clone(good.Body)
		change(&r)
		if problems := e.differs(r); !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, want) }) {
			t.Errorf("want %q, got %q", want, problems)
		}
	}
}
