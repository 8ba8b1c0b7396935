package connectortest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"path"
	"reflect"
	"regexp"
	"slices"

	"payonce/pkg/connectors"
	"payonce/test/race"
)

// resigned returns a call with its signature missing, empty, cut, and doubled, and with the headers that
// it covers doubled.
func (s *ruleTest) resigned(good Call) map[string]Call {
	w := s.h.Webhooks
	all := map[string]Call{}
	for _, name := range w.SignedHeaders {
		header := good.Header.Clone()
		header.Add(name, header.Get(name))
		all["with the header "+name+" twice"] = Call{Header: header, Body: good.Body}
	}
	if w.SignatureHeader == "" {
		maps.Copy(all, s.resignedBody(good))
		return all
	}
	variant := func(name string, change func(h http.Header)) {
		header := good.Header.Clone()
		change(header)
		all[name] = Call{Header: header, Body: good.Body}
	}
	sign := good.Header.Get(w.SignatureHeader)
	if sign == "" {
		s.Fatalf("Webhooks.Make gives no header %s", w.SignatureHeader)
	}
	variant("without a signature", func(h http.Header) { h.Del(w.SignatureHeader) })
	variant("with an empty signature", func(h http.Header) { h.Set(w.SignatureHeader, "") })
	variant("with half a signature", func(h http.Header) { h.Set(w.SignatureHeader, sign[:len(sign)/2]) })
	variant("with its signature twice", func(h http.Header) { h.Add(w.SignatureHeader, sign) })
	variant("with a wrong signature behind it", func(h http.Header) { h.Add(w.SignatureHeader, "AAAA") })
	variant("with a wrong signature before it", func(h http.Header) { h[http.CanonicalHeaderKey(w.SignatureHeader)] = []string{"AAAA", sign} })
	return all
}

// resignedBody changes the text of the body, so that nothing else of it changes.
func (s *ruleTest) resignedBody(good Call) map[string]Call {
	name := regexp.QuoteMeta(s.h.Webhooks.SignatureField)
	field := regexp.MustCompile(`"` + name + `"\s*:\s*"([^"]*)"`)
	comma := []byte(",")
	if !bytes.HasPrefix(bytes.TrimSpace(good.Body), []byte("{")) {
		field, comma = regexp.MustCompile(`\b`+name+`=([^&]*)`), []byte("&")
	}
	at := field.FindAllSubmatchIndex(good.Body, -1)
	if len(at) != 1 {
		s.Fatalf("Webhooks.Make must give one field %s, has %d", s.h.Webhooks.SignatureField, len(at))
	}
	from, to, valueFrom, valueTo := at[0][0], at[0][1], at[0][2], at[0][3]
	replace := func(from, to int, with []byte) Call {
		return Call{Header: good.Header, Body: slices.Concat(good.Body[:from], with, good.Body[to:])}
	}
	whole := good.Body[from:to]
	wrong := field.ReplaceAllFunc(whole, func(all []byte) []byte {
		return bytes.Replace(all, good.Body[valueFrom:valueTo], []byte("AAAA"), 1)
	})
	missing := replace(from, to, nil)
	missing.Body = regexp.MustCompile(`,(\s*)\}|\{(\s*),|,\s*(,)`).ReplaceAllFunc(missing.Body, func(b []byte) []byte {
		return bytes.Replace(b, comma, nil, 1)
	})
	return map[string]Call{
		"without a signature":              missing,
		"with an empty signature":          replace(valueFrom, valueTo, nil),
		"with half a signature":            replace((valueFrom+valueTo)/2, valueTo, nil),
		"with its signature twice":         replace(to, to, slices.Concat(comma, whole)),
		"with a wrong signature behind it": replace(to, to, slices.Concat(comma, wrong)),
		"with a wrong signature before it": replace(from, from, slices.Concat(wrong, comma)),
	}
}

// ambiguous finds what a single bit can write in another way without changing a JSON document: a tab
// and a carriage return are one bit apart, and so are e and E of an exponent and the letters of \u00ab.
// Everywhere else a bit changes a name, a value or the structure: of the blanks only these two are one
// bit apart, and digits and letters of names and values all count.
var ambiguous = regexp.MustCompile(`[\t\r]|\\u|:\s*-?[0-9.]+[eE]`)

// everyBit flips each bit of the body, of the signature and of the headers that it covers; under the race detector, some
// of each text. A call that another variant gets in the same bytes is not tried again.
func everyBit(s *ruleTest) {
	w, good := s.receiver(), s.h.Webhooks.Make(s.TB, s.event())
	if ambiguous.Match(good.Body) {
		s.Fatalf("Webhooks.Make writes tabs, carriage returns, exponents or \\u escapes: see its comment")
	}
	if _, err := s.hear(w, good); err != nil {
		s.Fatalf("a good call is refused: %v", err)
	}
	if s.repeats(w, good) {
		return
	}
	s.flips(good.Body, func(bad []byte, byteAt, bit int) {
		if n, err := w.Webhook(good.Header, bad, s.now()); err == nil {
			s.Errorf("with bit %d of byte %d of the body flipped it is let in: %+v", bit, byteAt, n)
		}
	})
	for _, name := range s.signedHeaders() {
		s.flips([]byte(good.Header.Get(name)), func(bad []byte, byteAt, bit int) {
			header := good.Header.Clone()
			header.Set(name, string(bad))
			if n, err := w.Webhook(header, good.Body, s.now()); err == nil {
				s.Errorf("with bit %d of byte %d of the header %s flipped it is let in: %+v", bit, byteAt, name, n)
			}
		})
	}
}

// repeats reports whether a test did to this very call of this connector what this one is about to do. The
// changes are the same each time.
func (s *ruleTest) repeats(w connectors.Webhooks, good Call) bool {
	if s.tampered == nil {
		return false
	}
	rule := path.Base(s.Name())
	test, seen := s.tampered.LoadOrStore(fmt.Sprintf("%s %T %v %s", rule, w, good.Header, good.Body), s.Name())
	if seen {
		s.Logf("done with this very call in %s", test)
	}
	return seen
}

func (s *ruleTest) signedHeaders() []string {
	names := slices.Clone(s.h.Webhooks.SignedHeaders)
	if s.h.Webhooks.SignatureHeader != "" {
		names = append(names, s.h.Webhooks.SignatureHeader)
	}
	return names
}

func (s *ruleTest) flips(good []byte, try func(bad []byte, byteAt, bit int)) {
	bits := make([]int, 8*len(good))
	for n := range bits {
		bits[n] = n
	}
	for _, n := range race.Sample(bits, 15) {
		if s.Failed() {
			return // one hole is enough to be seen
		}
		bad := slices.Clone(good)
		bad[n/8] ^= 1 << (n % 8)
		try(bad, n/8, n%8)
	}
}

// mutations is how many random changes are tried.
const mutations = 2000

// randomChanges never panic. None is let in, but for blanks where the signature covers values, and they
// change nothing.
func randomChanges(s *ruleTest) {
	w, good := s.receiver(), s.h.Webhooks.Make(s.TB, s.event())
	want, err := s.hear(w, good)
	if err != nil {
		s.Fatalf("a good call is refused: %v", err)
	}
	if s.repeats(w, good) {
		return
	}
	dice := rand.New(rand.NewPCG(20, 26))
	names := s.signedHeaders()
	for range race.Share(mutations, 10) {
		bad := Call{Header: good.Header.Clone(), Body: slices.Clone(good.Body)}
		if n := dice.IntN(len(names) + 4); n < len(names) {
			bad.Header.Set(names[n], string(mutate(dice, []byte(bad.Header.Get(names[n])))))
		} else {
			bad.Body = mutate(dice, bad.Body)
		}
		if bytes.Equal(bad.Body, good.Body) && reflect.DeepEqual(bad.Header, good.Header) {
			continue
		}
		n, err := w.Webhook(bad.Header, bad.Body, s.now())
		blanks := s.h.Webhooks.SignsValues && sameDocument(bad.Body, good.Body) && reflect.DeepEqual(n, want)
		if err != nil || !blanks {
			s.mustRefuse("with a random change", "", n, err)
		}
		if s.Failed() {
			return
		}
	}
}

// mutate makes one to three changes.
func mutate(dice *rand.Rand, text []byte) []byte {
	for range 1 + dice.IntN(3) {
		if len(text) == 0 {
			return []byte{byte(dice.IntN(256))}
		}
		from := dice.IntN(len(text))
		to := from + dice.IntN(len(text)-from) + 1
		switch dice.IntN(5) {
		case 0:
			text[from] ^= byte(1 + dice.IntN(255))
		case 1:
			text = slices.Delete(text, from, to)
		case 2:
			text = slices.Insert(text, from, byte(dice.IntN(256)))
		case 3:
			text = slices.Insert(text, from, slices.Clone(text[from:to])...)
		default:
			text = slices.Insert(text, from, []byte(" ,\":{}[]0&=n")[dice.IntN(11)])
		}
	}
	return text
}

// sameDocument reports whether two texts are the same JSON document.
func sameDocument(a, b []byte) bool {
	read := func(text []byte) (v any, ok bool) {
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		err := dec.Decode(&v)
		return v, err == nil
	}
	left, leftOK := read(a)
	right, rightOK := read(b)
	return leftOK && rightOK && reflect.DeepEqual(left, right)
}
