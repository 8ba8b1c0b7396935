package contracts

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"payonce/internal/app"
	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/race"
	"payonce/test/testenv"
)

// What the schema of a way refuses its connector refuses, and what the connector refuses beside that is announced in a
// description: commands are made from the schema of every way of every provider, and broken in one place.
func TestSchemasAndChecksAgree(t *testing.T) {
	s := testenv.NewSystem(t, t.TempDir(), testenv.Addresses{NATS: []string{"nats://127.0.0.1:1"}, Redis: "127.0.0.1:1", Sandbox: "http://127.0.0.1:1"}, nil)
	rt, err := app.Load(app.Worker(), s.Config, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var base map[string]any
	if err := json.Unmarshal(events.CommandSchema, &base); err != nil {
		t.Fatal(err)
	}
	ways := 0
	for _, provider := range rt.Connectors.Names() {
		c, _ := rt.Connectors.Get(provider)
		if _, describes := c.(connectors.Describer); !describes {
			t.Errorf("%s does not say what it needs", provider)
		}
		for _, way := range connectors.Ways(c) {
			if ways++; race.Enabled && ways%6 != 1 { // it computes alone: all of them without the race detector
				continue
			}
			t.Run(fmt.Sprintf("%s/%s/%s/%s", provider, way.Operation, way.Method, way.Currency), func(t *testing.T) {
				w := newWayTest(t, c, way, connectors.Schema(base, provider, c, way))
				rapid.Check(t, w.agree)
				w.agreeAtLimits(t)
				if w.taken < 5 || w.refused < 5 {
					t.Errorf("both took %d commands and refused %d: the commands prove little", w.taken, w.refused)
				}
			})
		}
	}
	if ways < 19 {
		t.Errorf("there are %d ways", ways)
	}
}

type wayTest struct {
	c              connectors.Connector
	way            connectors.Way
	document       map[string]any // the schema, as a client reads it
	schema         *jsonschema.Schema
	taken, refused int
	whole          bool // the commands have all fields
}

func newWayTest(t *testing.T, c connectors.Connector, way connectors.Way, schema map[string]any) *wayTest {
	t.Helper()
	text, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("way.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("way.json")
	if err != nil {
		t.Fatal(err)
	}
	return &wayTest{c: c, way: way, document: document.(map[string]any), schema: compiled}
}

func (w *wayTest) agree(t *rapid.T) {
	command := w.object(t, w.document, "")
	if rapid.Bool().Draw(t, "broken") {
		w.breakIn(t, command)
	}
	if problem := w.differ(command); problem != "" {
		t.Fatal(problem)
	}
}

// agreeAtLimits puts each of the texts at limits into each field of a whole command.
func (w *wayTest) agreeAtLimits(t *testing.T) {
	w.whole = true
	defer func() { w.whole = false }()
	for seed := range 200 {
		command := rapid.Custom(func(t *rapid.T) map[string]any { return w.object(t, w.document, "") }).Example(seed)
		taken := w.taken
		if problem := w.differ(command); problem != "" {
			t.Fatal(problem)
		}
		if w.taken == taken {
			continue
		}
		for _, at := range places(command) {
			before := at.in[at.name]
			for _, text := range bad {
				at.in[at.name] = text
				if problem := w.differ(command); problem != "" {
					t.Fatal(problem)
				}
			}
			at.in[at.name] = before
		}
		return
	}
	t.Error("no whole command is acceptable")
}

// differ returns how the schema and the check differ about a command.
func (w *wayTest) differ(command map[string]any) string {
	body, err := json.Marshal(command)
	if err != nil {
		return err.Error()
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(body)))
	if err != nil {
		return err.Error()
	}
	bySchema := w.schema.Validate(document)
	cmd, byCheck := events.ParseCommand(w.way.Operation, body)
	if byCheck == nil {
		byCheck = connectors.Check(w.c, cmd)
	}
	switch {
	case bySchema != nil && byCheck == nil:
		return fmt.Sprintf("taken, and refused by the schema: %s\n%v", body, bySchema)
	case bySchema == nil && byCheck != nil:
		for _, problem := range payment.ProblemsOf(byCheck) {
			unseen := strings.Contains(problem.Problem, " at position ") && strings.Contains(w.described("customer"), "cannot be seen")
			if w.described(problem.Field) == "" && !unseen {
				return fmt.Sprintf("the schema takes %s\nrefused: %v\nand nothing is said of that", body, problem)
			}
		}
	case bySchema != nil:
		w.refused++
	default:
		w.taken++
	}
	return ""
}

// described returns what a schema tells people of a field.
func (w *wayTest) described(field string) string {
	s, text := w.document, ""
	for name := range strings.SplitSeq(field, ".") {
		properties, _ := s["properties"].(map[string]any)
		next, known := properties[name].(map[string]any)
		if !known {
			break
		}
		s = next
		if d, ok := s["description"].(string); ok {
			text = d
		}
	}
	if field == "customer" { // rules about all texts
		text, _ = w.document["description"].(string)
	}
	return text
}

// object makes an object that the schema takes, as far as it says so in properties.
func (w *wayTest) object(t *rapid.T, s map[string]any, path string) map[string]any {
	made := map[string]any{}
	properties, _ := s["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		at := strings.TrimPrefix(path+"."+name, ".")
		if !required(s, name) && !w.whole && !rapid.Bool().Draw(t, at+" is there") {
			continue
		}
		made[name] = w.value(t, properties[name].(map[string]any), at)
	}
	return made
}

func required(s map[string]any, name string) bool {
	all, _ := s["required"].([]any)
	return slices.Contains(all, any(name))
}

func (w *wayTest) value(t *rapid.T, s map[string]any, at string) any {
	switch {
	case s["const"] != nil:
		return s["const"]
	case s["enum"] != nil:
		return rapid.SampledFrom(s["enum"].([]any)).Draw(t, at)
	case at == "metadata":
		return map[string]any{"cart": rapid.SampledFrom([]string{"", "77", strings.Repeat("x", payment.MaxMetadataValue)}).Draw(t, at)}
	case s["type"] == "object":
		return w.object(t, s, at)
	case s["type"] == "array":
		n := rapid.IntRange(int(number(s["minItems"])), int(number(s["maxItems"]))).Draw(t, at)
		items := []any{}
		for i := range n {
			items = append(items, w.value(t, s["items"].(map[string]any), fmt.Sprintf("%s[%d]", at, i)))
		}
		return items
	}
	return w.text(t, s, at)
}

// fieldTexts are those that fields have which the schema leaves to descriptions.
var fieldTexts = map[string][]string{
	"customer.ip_address": {"198.51.100.7", "::1"}, "return_url": {"https://shop.example/back", "http://shop.example"},
	"customer.email": {"hong@example.com", "a@b", "길@동"}, "requested_at": {"2026-11-22T09:00:00Z"}, "expires_at": {"2026-11-22T09:00:00.5+09:00"},
}

func (w *wayTest) text(t *rapid.T, s map[string]any, at string) string {
	if known := fieldTexts[at]; known != nil {
		return rapid.SampledFrom(known).Draw(t, at)
	}
	if either, ok := s["anyOf"].([]any); ok {
		s = rapid.SampledFrom(either).Draw(t, at+" is one of").(map[string]any)
		if s["enum"] != nil {
			return rapid.SampledFrom(s["enum"].([]any)).Draw(t, at).(string)
		}
	}
	generator := rapid.SampledFrom([]string{"홍길동", "Kim", "Hong Gil Dong", "KB 004", "Kookmin"})
	if pattern, ok := s["pattern"].(string); ok && !strings.Contains(pattern, `\p`) && strings.HasPrefix(pattern, "^") {
		generator = rapid.StringMatching(pattern)
	}
	return generator.Filter(func(text string) bool {
		n, most := len([]rune(text)), int(number(s["maxLength"]))
		return payment.TextProblem(text) == "" && (most == 0 || n <= most)
	}).Draw(t, at)
}

func number(value any) float64 {
	n, _ := value.(json.Number)
	f, _ := n.Float64()
	return f
}

// place is where a value of a command stands.
type place struct {
	in   map[string]any
	name string
}

// places returns where something can be broken. Another provider, operation or method has another schema.
func places(object map[string]any) (all []place) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if slices.Contains([]string{"provider", "operation", "method"}, name) {
			continue
		}
		all = append(all, place{object, name})
		if inner, ok := object[name].(map[string]any); ok {
			all = append(all, places(inner)...)
		}
	}
	return all
}

// breakIn changes one value, which may or may not be acceptable then.
func (w *wayTest) breakIn(t *rapid.T, command map[string]any) {
	at := rapid.SampledFrom(places(command)).Draw(t, "place")
	switch rapid.IntRange(0, 3).Draw(t, "how") {
	case 0:
		delete(at.in, at.name)
	case 1:
		at.in[at.name+"x"] = at.in[at.name]
	default:
		at.in[at.name] = rapid.OneOf(
			rapid.Just(any(5)), rapid.Just(any(true)), rapid.Just(any([]any{})),
			rapid.Map(rapid.SampledFrom(bad), func(text string) any { return text }),
			rapid.Map(rapid.StringMatching(`[ -~]{0,40}`), func(text string) any { return text }),
		).Draw(t, "value")
	}
}

// bad are texts at the limits of what some way takes, and over them.
var bad = []string{
	"", " ", "0", "1", "9999", "10000", "10000.5", "30000000", "30000001", "99999999", "99999999.99", "100000000", "100000000.00", "0.00", "0.01", "0.10", "00.1", "1.234",
	"-1", "1e5", "1,000", strings.Repeat("9", 15), strings.Repeat("9", 16), "KRW", "TWD", "USD", "krw", "va", "card", "bank", "Kim;", "a@b", "a@b@c", "@", "01012345678", "+821012345678",
	"123456", "1234-56", "-123456", "1--23456", "12345", strings.Repeat("1", 20), strings.Repeat("1", 21), strings.Repeat("1", 33), "null", "#N/A", "Kim&a=b", "(주)길동", "홍길동", "홍",
	strings.Repeat("가", 16), strings.Repeat("가", 17), strings.Repeat("가", 20), strings.Repeat("가", 21), strings.Repeat("가", 32), strings.Repeat("가", 33), strings.Repeat("가", 40),
	strings.Repeat("가", 41), strings.Repeat("가", 256), strings.Repeat("가", 257), "x;payment:a", "003", "999", "140", "0140", "RRN", "CO", "PASSPORT", "ko", "kor", "900101", "9501011234567",
	"https://shop.example/;a", "ftp://shop.example", "tomorrow", "2026-11-22T09:00:00Z", "D 1", strings.Repeat("D", 32), strings.Repeat("D", 33), strings.Repeat("D", 64), strings.Repeat("D", 65), "deposit", "payout",
}
