package connectortest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"payonce/pkg/payment"
)

// Received is a request as it arrived, or the redirect of a silent submit.
type Received struct {
	Method string
	Target string   // path and query
	Lines  []string // the lines of the header as spelled on the wire, without the request line
	Header http.Header
	Body   []byte
}

// String returns the method and the target.
func (r Received) String() string { return r.Method + " " + r.Target }

// Line returns the value of the header that is spelled exactly so, and occurs once.
func (r Received) Line(name string) (value string, ok bool) {
	for _, line := range r.Lines {
		if n, v, _ := strings.Cut(line, ": "); n == name {
			if ok {
				return "", false
			}
			value, ok = v, true
		}
	}
	return value, ok
}

// Fields returns the fields of the query and of the body by name. Inside JSON a name is a path like
// "payment.amount" or "items.0", and a value is JSON: a text has its quotes. Fields of a query or a form
// have none. A name that occurs twice is an error.
func (r Received) Fields() (map[string]string, error) {
	fields := map[string]string{}
	_, query, _ := strings.Cut(r.Target, "?")
	if err := readForm(fields, query); err != nil {
		return nil, err
	}
	body := bytes.TrimSpace(r.Body)
	switch {
	case len(body) == 0:
		return fields, nil
	case body[0] != '{':
		return fields, readForm(fields, string(body))
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := readJSON(fields, dec, ""); err != nil {
		return nil, fmt.Errorf("the body is not one JSON document: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("something stands behind the JSON document")
	}
	return fields, nil
}

func readForm(fields map[string]string, text string) error {
	values, err := url.ParseQuery(text)
	if err != nil {
		return fmt.Errorf("the query or form is malformed: %w", err)
	}
	for name, all := range values {
		if _, double := fields[name]; double || len(all) != 1 {
			return fmt.Errorf("%s occurs twice", name)
		}
		fields[name] = all[0]
	}
	return nil
}

// readJSON reads the next value and what is inside it.
func readJSON(fields map[string]string, dec *json.Decoder, path string) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	open, inside := token.(json.Delim)
	if !inside {
		literal, err := json.Marshal(token)
		if _, double := fields[path]; double {
			return fmt.Errorf("%s occurs twice", path)
		}
		fields[path] = string(literal)
		return err
	}
	for i := 0; dec.More(); i++ {
		name := fmt.Sprint(i)
		if open == '{' {
			if token, err = dec.Token(); err != nil {
				return err
			}
			name = fmt.Sprint(token)
		}
		if path != "" {
			name = path + "." + name
		}
		if err := readJSON(fields, dec, name); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

// redirected is the request that a customer's browser makes.
func redirected(r payment.Redirect) (Received, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return Received{}, err
	}
	form := url.Values{}
	for name, value := range r.Fields {
		form.Set(name, value)
	}
	return Received{Method: r.Method, Target: u.RequestURI(), Body: []byte(form.Encode())}, nil
}

// differs returns what of a request is not as the example shows it.
func (e Example) differs(r Received) []string {
	var problems []string
	note := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	path, _, _ := strings.Cut(r.Target, "?")
	if want, _, _ := strings.Cut(e.Target, "?"); r.Method != e.Method || path != want {
		note("sent %s %s, the example is %s %s", r.Method, path, e.Method, want)
	}
	got, err := r.Fields()
	if err != nil {
		note("%v", err)
	}
	want, err := Received{Target: e.Target, Body: []byte(e.Body)}.Fields()
	if err != nil {
		note("the example: %v", err)
	}
	for _, name := range e.Fresh {
		if _, sent := got[name]; !sent {
			note("the field %s is missing", name)
		}
		delete(got, name)
		delete(want, name)
	}
	for name, value := range want {
		if sent, ok := got[name]; !ok || sent != value {
			note("the field %s is %q, the example has %q", name, sent, value)
		}
		delete(got, name)
	}
	for name, value := range got {
		note("the field %s (%q) is not in the example", name, value)
	}
	return append(problems, e.differentHeader(r)...)
}

func (e Example) differentHeader(r Received) []string {
	var problems []string
	for name, value := range e.Header {
		if got, ok := r.Line(name); !ok || value != "*" && got != value {
			problems = append(problems, fmt.Sprintf("the header %s is %q, the example has %q", name, got, value))
		}
	}
	for _, line := range r.Lines {
		name, _, _ := strings.Cut(line, ": ")
		switch name {
		case "Host", "User-Agent", "Content-Length":
		default:
			if _, ok := e.Header[name]; !ok {
				problems = append(problems, "the header "+name+" is not in the example")
			}
		}
	}
	return problems
}
