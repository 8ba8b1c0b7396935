package payctl

import (
	"bytes"
	"encoding/csv"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/internal/statements"
	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
)

var update = flag.Bool("update", false, "write the golden files again")

// everyFinding is what a comparison can find, once each, and what texts of a provider can be.
func everyFinding() *comparison {
	zone := zones["KRW"]
	at := time.Date(2026, 11, 21, 14, 5, 0, 0, zone)
	q := &question{provider: "teemopay-kr", operations: payment.Operations(), rules: reconcile.Rules{Interval: reconcile.Interval{
		From: at.Truncate(24 * time.Hour), To: at.Add(24 * time.Hour).Truncate(24 * time.Hour),
	}}, form: statements.Form{Zone: zone}}
	c := newComparison(q, reconcile.NewStatement(at.Add(15*time.Hour), q.rules.Interval))
	ours := &reconcile.Side{Status: "settled", Amount: payment.KRW(10000), SettledAmount: payment.KRW(9000), Reference: "T-1", At: at.UTC()}
	theirs := []reconcile.Side{{Status: "paid", Amount: payment.KRW(10000), SettledAmount: payment.KRW(10000), Reference: "T-2", At: at.UTC()}, {Status: "accepted"}}
	for i, kind := range reconcile.FindingKinds() {
		f := reconcile.Finding{Kind: kind, Order: "D-" + string(rune('a'+i)), Operation: payment.Deposit, Ours: ours, Theirs: theirs[:1]}
		switch kind {
		case reconcile.MissingHere:
			f.Ours, f.Order = nil, "=HYPERLINK(\"http://x\")\x1b[2J"
		case reconcile.MissingThere, reconcile.OpenHere, reconcile.NotCovered:
			f.Theirs = nil
		case reconcile.ChargedTwice:
			f.Theirs = theirs
		case reconcile.AmountDiffers:
			f.Detail = "paid: 9000 KRW with us, 10000 KRW there"
		}
		c.Findings = append(c.Findings, shownFinding{f, statements.Advice("teemopay-kr", f), kind.Note()})
	}
	c.Summary = reconcile.Summary{Compared: 20, Matched: 6, Findings: 11, Noted: 3, Lines: 22}
	return c
}

func TestFindingsAsTheyArePrinted(t *testing.T) {
	for format, name := range map[string]string{"table": "findings.txt", "json": "findings.json", "csv": "findings.csv"} {
		var out, beside bytes.Buffer
		if err := everyFinding().write(&out, &beside, format); err != nil {
			t.Fatal(err)
		}
		const summary = "compared=20 matched=6 findings=11 noted=3 lines=22\n"
		if format == "table" && !strings.HasSuffix(out.String(), "\n"+summary) || format != "table" && beside.String() != summary {
			t.Errorf("%s: no summary in %q and %q", format, out.String(), beside.String())
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%s is not as in %s (%v):\n%s", format, path, err, out.String())
		}
		if bytes.ContainsRune(out.Bytes(), '\x1b') {
			t.Errorf("%s: an escape of a terminal is printed", format)
		}
	}
	var out bytes.Buffer
	none := everyFinding()
	none.Findings, none.Summary = []shownFinding{}, reconcile.Summary{Compared: 1, Matched: 1, Lines: 1}
	if err := none.write(&out, &out, "table"); err != nil || out.String() != "compared=1 matched=1 findings=0 noted=0 lines=1\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// No cell can be run as a formula by a spreadsheet.
func TestCellsAreNoFormulas(t *testing.T) {
	for text, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\t=1": "'\ufffd=1", " =1": "'=1", "＝1": "'＝1", "D-1": "D-1", "": "", "a=1": "a=1",
		"\r=1": "'\ufffd=1", "\x00=1": "'\ufffd=1",
	} {
		got := plainCell(text)
		if strings.HasPrefix(want, "'\ufffd") { // what was a control character begins no formula
			want = want[1:]
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	var out bytes.Buffer
	if err := everyFinding().writeCSV(&out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != len(reconcile.FindingKinds())+1 || !strings.HasPrefix(rows[1][1], "'=HYPERLINK") {
		t.Errorf("%q, %v", rows, err)
	}
}

// Every finding has something to do, and the commands that it names are there.
func TestAdviceNamesCommands(t *testing.T) {
	leaves, named := Leaves(), 0
	for _, kind := range reconcile.FindingKinds() {
		for _, status := range append(payment.Statuses(), "") {
			f := reconcile.Finding{Kind: kind, Order: "D-1", Ours: &reconcile.Side{Status: string(status)}}
			if status == "" {
				f.Ours = nil
			}
			text := statements.Advice("teemopay-kr", f)
			if text == "" {
				t.Errorf("%s: nothing to do", kind)
			}
			for _, command := range regexp.MustCompile(`payctl [a-z]+ [a-z]+`).FindAllString(text, -1) {
				named++
				if !slices.Contains(leaves, command) {
					t.Errorf("%s: there is no %s", kind, command)
				}
			}
		}
	}
	if named < 30 {
		t.Errorf("%d commands are named", named)
	}
	if text := statements.Advice("p", reconcile.Finding{Kind: reconcile.MissingHere, Order: "; rm -rf /"}); strings.Contains(text, "rm") {
		t.Errorf("a text of the provider stands in a command: %s", text)
	}
}
