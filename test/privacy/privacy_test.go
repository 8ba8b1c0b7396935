package privacy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

const document = "../../docs/personal-data.md"

// marks are pieces of the personal data that testenv.Variant.Command sends, by what the document calls them.
var marks = map[string][]string{
	"name": {"홍길동", "길동"}, "mail": {"hong@example.com"}, "phone": {"01012345678"}, "IP address": {"198.51.100.7"},
	"ID number": {`"900101"`}, "customer number": {`c-77`}, "bank account": {"29900000000000"}, "return address": {"shop.example/back"},
	"metadata": {`"cart":"77"`, `"cart": "77"`},
}

// inRedis is the document's place that is no stream.
const inRedis = "Redis"

var firstToken = map[string]string{
	"deposit": events.StreamCommands, "payout": events.StreamCommands, "clarification": events.StreamCommands, "parked": events.StreamCommands,
	"payment": events.StreamPayments, "webhook": events.StreamWebhooks, "deadletter": events.StreamDeadLetters, "operator": events.StreamAudit,
	"action": events.StreamActions,
}

// findings says which kinds of personal data are in which place.
type findings map[string]map[string]bool

func (f findings) look(place, text string, marks map[string][]string) {
	if f[place] == nil {
		f[place] = map[string]bool{}
	}
	readings := []string{text}
	if plain, err := url.QueryUnescape(text); err == nil {
		readings = append(readings, plain)
	}
	var doc any
	if json.Unmarshal([]byte(text), &doc) == nil { // without the escapes of JSON
		var plain bytes.Buffer
		enc := json.NewEncoder(&plain)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(doc)
		readings = append(readings, plain.String())
	}
	for kind, values := range marks {
		for _, value := range values {
			if slices.ContainsFunc(readings, func(r string) bool { return holds(r, value) }) {
				f[place][kind] = true
			}
		}
	}
}

// holds reports whether a text has a value. A short one must not begin within a word: the middle of a UUID can read c-77.
func holds(text, value string) bool {
	if len(value) > 4 {
		return strings.Contains(text, value)
	}
	return regexp.MustCompile(`(^|[^0-9A-Za-z])` + regexp.QuoteMeta(value)).MatchString(text)
}

func (f findings) lookAt(messages []*nats.Msg, marks map[string][]string) {
	for _, m := range messages {
		first, _, _ := strings.Cut(m.Subject, ".")
		if place := firstToken[first]; place != "" {
			f.look(place, m.Subject, marks)
			f.look(place, string(m.Data), marks)
			for name, values := range m.Header {
				f.look(place, name+": "+strings.Join(values, " "), marks)
			}
		}
	}
}

// known matches the values of form fields that are found as something else: the provider's number of the payment, and
// what the command says of the customer.
var known = regexp.MustCompile(`^[0-9.]+$|길동|@|shop\.example`)

// actionMarks are the links and accounts that customers were given.
func actionMarks(t *testing.T, messages []*nats.Msg) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, m := range messages {
		if !strings.HasPrefix(m.Subject, "action.") {
			continue
		}
		var data struct{ Action payment.Action }
		if err := json.Unmarshal(m.Data, &data); err != nil {
			t.Fatal(err)
		}
		switch a := data.Action; {
		case a.Redirect != nil:
			found["page link"] = append(found["page link"], a.Redirect.URL)
			for _, value := range a.Redirect.Fields {
				if len(value) > 7 && !known.MatchString(value) {
					found["page link"] = append(found["page link"], value)
				}
			}
		case a.Transfer != nil:
			found["account to pay to"] = append(found["account to pay to"], a.Transfer.AccountNumber)
		}
	}
	if len(found["page link"]) < 5 || len(found["account to pay to"]) < 3 {
		t.Fatalf("too few links and accounts were found: %v", found)
	}
	return found
}

// stated reads what the document says of each place.
func stated(t *testing.T) findings {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	all := findings{}
	for _, row := range regexp.MustCompile("(?m)^\\| `?([A-Z][A-Za-z]+)`? \\| ([^|]+) \\|").FindAllStringSubmatch(string(text), -1) {
		kinds := map[string]bool{}
		what, _, _ := strings.Cut(row[2], ";")
		for kind := range strings.SplitSeq(what, ",") {
			if kind = strings.TrimSpace(kind); kind != "nothing" {
				kinds[kind] = true
			}
		}
		all[row[1]] = kinds
	}
	return all
}

// play pays in every way at every provider, and lets one command be refused.
func (s *system) play() []payment.Ref {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), timeout)
	defer cancel()
	var refs []payment.Ref
	var group errgroup.Group
	group.SetLimit(4)
	for i, v := range testenv.Variants() {
		order := fmt.Sprintf("PRIV-%d", i)
		refs = append(refs, payment.Ref{Provider: v.Account, Order: order})
		group.Go(func() error {
			if o := s.shop.Pay(ctx, v, order); !o.Good() {
				return fmt.Errorf("%s %s %s: %s, %w", v.Account, v.Operation, v.Method, o.Status, o.Err)
			}
			return nil
		})
	}
	s.Must(group.Wait())
	again := testenv.Variants()[0]
	again.Amount = payment.KRW(1)
	changed, stop := s.dead()
	defer stop()
	s.Must(s.js.Conn().Publish(events.CommandSubject(again.Operation, refs[0]), []byte(again.Command(refs[0]))))
	select {
	case <-changed:
	case <-ctx.Done():
		s.T.Fatal("no dead letter")
	}
	return refs
}

// finish stops the ingress, waits until every webhook was judged, and stops the worker.
func (s *system) finish(refs []payment.Ref) {
	s.T.Helper()
	s.stopIngress()
	ctx, cancel := context.WithTimeout(s.T.Context(), timeout)
	defer cancel()
	for _, ref := range refs {
		for waits := true; waits; {
			found, err := s.Log.PersonalData(ctx, payment.Payment{Ref: ref})
			s.Must(err)
			waits = slices.ContainsFunc(found, func(m events.Personal) bool { return m.Stream == events.StreamWebhooks && m.Needed != "" })
			if waits {
				select {
				case <-time.After(50 * time.Millisecond):
				case <-ctx.Done():
					s.T.Fatalf("%s: a webhook is not judged", ref)
				}
			}
		}
	}
	s.stopWorker()
}

// dead reports the next dead letter.
func (s *system) dead() (<-chan *nats.Msg, func()) {
	c := make(chan *nats.Msg, 1)
	sub, err := s.js.Conn().ChanSubscribe("deadletter.>", c)
	s.Must(err)
	s.Must(s.js.Conn().Flush())
	return c, func() { _ = sub.Unsubscribe() }
}

// The document's table is what the streams and Redis hold, and an erasure leaves nothing of it but in the log what the
// document names.
func TestPersonalDataIsWhereTheDocumentSays(t *testing.T) {
	s := start(t)
	refs := s.play()
	s.finish(refs)
	messages := s.published()
	sought := maps.Clone(marks)
	maps.Copy(sought, actionMarks(t, messages))
	found := findings{inRedis: {}, events.StreamAudit: {}}
	found.lookAt(messages, sought)
	for name, value := range s.inRedis() {
		found.look(inRedis, name+" "+value, sought)
	}
	want := stated(t)
	for place, kinds := range found {
		if !maps.Equal(kinds, want[place]) {
			t.Errorf("%s holds %v, docs/personal-data.md says %v", place, slices.Sorted(maps.Keys(kinds)), slices.Sorted(maps.Keys(want[place])))
		}
	}
	if len(found) != len(want) || len(s.inRedis()) < len(refs) {
		t.Errorf("places %v, the document has %v; %d keys in Redis", slices.Sorted(maps.Keys(found)), slices.Sorted(maps.Keys(want)), len(s.inRedis()))
	}
	before := s.stored(events.StreamPayments)
	s.eraseAll(refs)
	left := findings{}
	for _, stream := range slices.Sorted(maps.Values(firstToken)) {
		left.lookAt(s.stored(stream), sought)
	}
	for place, kinds := range left {
		if delete(kinds, "metadata"); len(kinds) > 0 {
			t.Errorf("after the erasure %s holds %v", place, slices.Sorted(maps.Keys(kinds)))
		}
	}
	for i, m := range s.stored(events.StreamPayments) {
		if !bytes.Equal(m.Data, before[i].Data) {
			t.Errorf("the erasure changed the log: %s", m.Subject)
		}
	}
}

// eraseAll erases what can be erased of all orders; all have ended and every webhook was judged.
func (s *system) eraseAll(refs []payment.Ref) {
	s.T.Helper()
	service := operator.Service{Log: s.Log, Queue: s.Log, Now: time.Now}
	for _, ref := range refs {
		if p, erased, left, err := service.Erase(s.T.Context(), s.Log, ref); err != nil || len(left) > 0 || len(erased) == 0 {
			s.T.Errorf("%s, %s: %d erased, left %v, %v", ref, p.Status, len(erased), left, err)
		}
	}
}

// stored returns what a stream holds now.
func (s *system) stored(name string) []*nats.Msg {
	s.T.Helper()
	stream, err := s.js.Stream(s.T.Context(), name)
	s.Must(err)
	var all []*nats.Msg
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		if raw, err := stream.GetMsg(s.T.Context(), seq); err == nil { // else it was deleted
			all = append(all, &nats.Msg{Subject: raw.Subject, Header: raw.Header, Data: raw.Data})
		}
	}
	return all
}
