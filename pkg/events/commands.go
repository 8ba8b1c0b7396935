package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"regexp"
	"strings"
	"time"

	"payonce/pkg/boundedjson"
	"payonce/pkg/payment"
)

// MaxCommandBytes is the largest command, as JSON.
const MaxCommandBytes = 64 << 10

const (
	// MinDeadLetterBytes is the least size of the stream of dead letters, and MinRetention what each stream keeps at least.
	MinDeadLetterBytes = 1 << 20
	MinRetention       = time.Hour
	// PublishTimeout is how long one publish waits for its acknowledgement before it is repeated.
	PublishTimeout = 2 * time.Second
)

// HeaderRequestedAt carries the time at which a command was first stored, through parking and sending
// on. It is used where the command itself has no requested_at.
const HeaderRequestedAt = "Payonce-Requested-At"

// CommandType is the CloudEvents type of a command, e.g. "deposit.requested".
func CommandType(op payment.Operation) string { return ShortSubject(op) }

// EncodeCommand returns the message that asks for a payment, on its long subject. id must be unique.
func EncodeCommand(cmd payment.Command, id string) (Outgoing, error) {
	if err := cmd.Ref.Validate(); err != nil {
		return Outgoing{}, fmt.Errorf("encode command: %w", err)
	}
	data, err := json.Marshal(cmd)
	if err != nil {
		return Outgoing{}, fmt.Errorf("encode command %s: %w", cmd.Ref, err)
	}
	attributes := Attributes{
		ID: id, Source: Source, Type: CommandType(cmd.Operation), Subject: cmd.Ref.String(), Time: cmd.RequestedAt,
		ContentType: contentJSON, Schema: CommandSchemaID,
	}
	header := withUpstream(attributes.header(), cmd.Upstream)
	return Outgoing{Subject: CommandSubject(cmd.Operation, cmd.Ref), Header: header, Data: data}, nil
}

// CommandError is a command that cannot be taken. It holds no value of the command but its name.
type CommandError struct {
	Reason DeadReason
	// Field that is wrong, as a path in the JSON document; empty when the document itself is.
	Field   string
	Problem string
	// Ref and Operation name the payment where the command could be read so far; Ref is valid or zero.
	Ref       payment.Ref
	Operation payment.Operation
	// Upstream that published it, from [HeaderUpstream].
	Upstream string
	// All are the problems of its fields, of which Field and Problem are the first; nil where the document is unreadable.
	All payment.FieldErrors
	// partial is behind a pointer, so that no way of printing the error shows personal data.
	partial *payment.Command
}

func (e *CommandError) Error() string {
	switch {
	case len(e.All) > 1:
		return e.All.Error()
	case e.Field == "":
		return e.Problem
	}
	return e.Field + ": " + e.Problem
}

// Partial returns the command without the fields that All is about, to look for more problems in it; ok is false where
// nothing could be read.
func (e *CommandError) Partial() (cmd payment.Command, ok bool) {
	if e.partial == nil {
		return payment.Command{}, false
	}
	cmd = *e.partial
	cmd.Upstream = e.Upstream
	return cmd, true
}

// DecodeCommand reads a command from a message of the queue: a CloudEvent in binary or structured mode,
// or plain JSON without any "ce-" header. The subject decides the operation; provider and order of the
// body must be those of a long subject. RequestedAt is filled in from when the message was first
// stored, if the command does not say, and Upstream from [HeaderUpstream]. Errors are a [*CommandError].
func DecodeCommand(m Message) (payment.Command, error) {
	cmd, err := decodeCommand(m)
	var refused *CommandError
	if errors.As(err, &refused) {
		refused.Upstream = upstreamOf(m)
		return payment.Command{}, err
	}
	cmd.Upstream = upstreamOf(m)
	return cmd, err
}

func decodeCommand(m Message) (payment.Command, error) {
	op, known := SubjectOperation(m.Subject)
	if !known {
		return payment.Command{}, &CommandError{Reason: DeadMismatch, Problem: "not a command subject"}
	}
	if len(m.Data) > MaxCommandBytes {
		ref, _ := SubjectRef(m.Subject)
		return payment.Command{}, &CommandError{
			Reason: DeadTooBig, Ref: ref, Operation: op,
			Problem: fmt.Sprintf("%d bytes, more than the %d of a command", len(m.Data), MaxCommandBytes),
		}
	}
	body, attributes, err := openEnvelope(m)
	if err == nil && attributes.Type != "" && attributes.Type != CommandType(op) {
		err = fmt.Errorf("ce-type must be %q", CommandType(op))
	}
	if err != nil {
		ref, _ := SubjectRef(m.Subject)
		return payment.Command{}, &CommandError{Reason: DeadUndecodable, Ref: ref, Operation: op, Problem: err.Error()}
	}
	cmd, err := ParseCommand(op, body)
	if err := matchSubject(m.Subject, op, cmd.Ref, err); err != nil {
		return payment.Command{}, err
	}
	if cmd.RequestedAt.IsZero() {
		cmd.RequestedAt = firstStored(m)
	}
	return cmd, nil
}

// matchSubject checks the body's payment against a long subject. A body that could not be read is about
// the payment that the subject names, unless it names another: then it must not speak for either.
func matchSubject(subject string, op payment.Operation, named payment.Ref, err error) error {
	var refused *CommandError
	if errors.As(err, &refused) {
		named = refused.Ref
	}
	ref, long := SubjectRef(subject)
	switch {
	case !long && subject != ShortSubject(op):
		return &CommandError{Reason: DeadMismatch, Operation: op, Problem: "the subject names no valid provider and order"}
	case !long:
		return err
	case refused != nil && named == (payment.Ref{}):
		refused.Ref = ref
	case named != ref:
		return &CommandError{Reason: DeadMismatch, Operation: op, Problem: "provider or order differ between subject and body"}
	}
	return err
}

func firstStored(m Message) time.Time {
	if t, err := wireTime(m.Header.Get(HeaderRequestedAt)).parse(); err == nil && !t.IsZero() {
		return t
	}
	return m.StoredAt
}

// openEnvelope returns the command's JSON and the event's attributes, if it is a CloudEvent.
func openEnvelope(m Message) ([]byte, Attributes, error) {
	if m.Header.tooLarge() {
		return nil, Attributes{}, errTooManyHeaders
	}
	if media, _ := mediaType(m.Header.Get("Content-Type")); strings.HasPrefix(media, "application/cloudevents") {
		return openStructured(m.Data)
	}
	attributes, err := parseAttributes(m.Header)
	if errors.Is(err, errNotCloudEvent) {
		return m.Data, Attributes{}, nil
	}
	if err != nil {
		return nil, Attributes{}, err
	}
	if !isJSON(attributes.ContentType) {
		return nil, Attributes{}, errors.New("ce-datacontenttype must be application/json")
	}
	return m.Data, attributes, nil
}

func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, err := mediaType(contentType)
	return err == nil && (media == contentJSON || strings.HasSuffix(media, "+json"))
}

func mediaType(contentType string) (string, error) {
	if len(contentType) > maxMediaType {
		return "", errors.New("a content type that is too long")
	}
	media, _, err := mime.ParseMediaType(contentType)
	return media, err
}

// openStructured reads the CloudEvents JSON format. What is doubled inside data is left to ParseCommand.
func openStructured(data []byte) ([]byte, Attributes, error) {
	event, doubled, problem := eventDocument.check(data)
	switch {
	case problem != "":
		return nil, Attributes{}, errors.New("the CloudEvent: " + problem)
	case doubled != "":
		return nil, Attributes{}, errors.New("an attribute of the CloudEvent occurs twice")
	}
	values, body := map[string]string{}, []byte(nil)
	for field := range event.Inner() {
		switch {
		case field.Name() == "data":
			from, to := field.Offsets()
			body = data[from:to:to]
		case field.Kind() == boundedjson.Text:
			values[field.Name()] = field.Text()
		case field.Kind() == boundedjson.Null: // as if it were not there, but for those that are required
			values[field.Name()] = ""
		}
	}
	attributes, err := attributesOf(values)
	if err != nil {
		return nil, Attributes{}, err
	}
	if len(body) == 0 || !isJSON(attributes.ContentType) {
		return nil, Attributes{}, errors.New("the CloudEvent has no JSON data")
	}
	return body, attributes, nil
}

// ParseCommand reads the JSON of a command for an operation. It is strict: unknown and doubled fields,
// more than one document, and values of the wrong type are errors, because a misspelt field of a
// payment must not be dropped in silence. Texts come out in Unicode's composed form, see
// [payment.Command.Normalised]. It does not call Validate. Errors are a [*CommandError] with all fields that are wrong.
func ParseCommand(op payment.Operation, body []byte) (payment.Command, error) {
	if len(body) > MaxCommandBytes {
		return payment.Command{}, &CommandError{Reason: DeadTooBig, Operation: op, Problem: fmt.Sprintf("%d bytes, more than the %d of a command", len(body), MaxCommandBytes)}
	}
	root, doubled, problem := commandDocument.check(body)
	if problem != "" {
		return payment.Command{}, &CommandError{Reason: DeadUndecodable, Operation: op, Problem: problem}
	}
	if doubled != "" {
		return payment.Command{}, doubledError(op, body, doubled)
	}
	problems := misfits(root)
	// The outer fields stand before the embedded ones of the same name: they are read one by one.
	var wire struct {
		payment.Command
		Amount      json.RawMessage `json:"amount"`
		RequestedAt wireTime        `json:"requested_at"`
		ExpiresAt   wireTime        `json:"expires_at"`
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if len(problems) == 0 {
		dec.DisallowUnknownFields()
	}
	// A value of the wrong kind is a misfit already; the others are read all the same.
	var wrongType *json.UnmarshalTypeError
	if err := dec.Decode(&wire); err != nil && (len(problems) == 0 || !errors.As(err, &wrongType)) {
		return payment.Command{}, &CommandError{Reason: DeadUndecodable, Operation: op, Problem: "the body is not the JSON of a command"}
	}
	cmd := wire.Command
	cmd.Amount = readAmount(&problems, wire.Amount)
	cmd.RequestedAt = wire.RequestedAt.read(&problems, "requested_at")
	cmd.ExpiresAt = wire.ExpiresAt.read(&problems, "expires_at")
	if cmd.Operation == "" {
		cmd.Operation = op
	}
	if cmd.Operation != op {
		problems.Say("operation", fmt.Sprintf("must be %q here, or left out", op))
		cmd.Operation = op
	}
	cmd = cmd.Normalised()
	if len(problems) > 0 {
		refused := invalid(op, body, problems[0].Field, problems[0].Problem)
		refused.All, refused.partial = problems, &cmd
		return payment.Command{}, refused
	}
	return cmd, nil
}

// readAmount reads an amount whose shape was looked at, and adds what is wrong with it. One that is not there is left to
// [payment.Command.Validate].
func readAmount(problems *payment.FieldErrors, raw json.RawMessage) payment.Money {
	var amount struct{ Value, Currency *string }
	if len(raw) == 0 || string(raw) == "null" || json.Unmarshal(raw, &amount) != nil || problems.About("amount") {
		return payment.Money{}
	}
	if amount.Value == nil {
		problems.Say("amount.value", "is required")
	}
	if amount.Currency == nil {
		problems.Say("amount.currency", "is required")
	}
	if amount.Value == nil || amount.Currency == nil {
		return payment.Money{}
	}
	m, err := payment.ParseMoney(*amount.Value, *amount.Currency)
	var wrong *payment.FieldError
	if errors.As(err, &wrong) {
		problems.Say("amount."+wrong.Field, wrong.Problem)
	}
	return m
}

type wireTime string

// parse reads an RFC 3339 time. One that has no four-digit year in UTC could not be written again. What
// time.Parse takes beyond RFC 3339 is "T9:00:00Z" and "00,5Z" (go.dev/issue/54580).
func (w wireTime) parse() (time.Time, error) {
	if w == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, string(w))
	if err != nil || w[len("2006-01-02T15")] != ':' || strings.Contains(string(w), ",") || !payment.ValidTime(t) {
		return time.Time{}, errors.New("not an RFC 3339 time")
	}
	return t.UTC(), nil
}

const notATime = "must be an RFC 3339 time, like 2026-11-22T09:00:00+09:00"

// read is parse, and adds what is wrong.
func (w wireTime) read(problems *payment.FieldErrors, field string) time.Time {
	t, err := w.parse()
	if err != nil {
		problems.Say(field, notATime)
	}
	return t
}

// maxShownField bounds what an error says of a field's name, which the sender chose.
const maxShownField = 128

// shortened is a field's name as errors have it.
func shortened(field string) string {
	if len(field) > maxShownField {
		field = strings.ToValidUTF8(field[:maxShownField], "") + "…"
	}
	return field
}

// shownField is what the names of fields look like that cannot be personal data.
var shownField = regexp.MustCompile(`^[A-Za-z_]{1,32}[0-9]{0,2}(\.[A-Za-z_]{1,32}[0-9]{0,2}|\[[0-9]{1,2}\])*$`)

func invalid(op payment.Operation, body []byte, field, problem string) *CommandError {
	field = shortened(field)
	return &CommandError{All: payment.FieldErrors{{Field: field, Problem: problem}}, Reason: DeadInvalid, Field: field, Problem: problem, Operation: op, Ref: nameOf(body)}
}

// doubledError names the first doubled field. Where the payment's name itself is doubled, it is not
// known which payment is meant.
func doubledError(op payment.Operation, body []byte, doubled string) *CommandError {
	err := invalid(op, body, doubled, "occurs twice")
	if standsTwice(body, "provider", "order") {
		err.Ref = payment.Ref{}
	}
	return err
}

// nameOf reads who a refused command is about, as far as that can be read.
func nameOf(body []byte) payment.Ref {
	var name struct {
		Provider json.RawMessage `json:"provider"`
		Order    json.RawMessage `json:"order"`
	}
	var ref payment.Ref
	if json.Unmarshal(body, &name) != nil ||
		json.Unmarshal(name.Provider, &ref.Provider) != nil || json.Unmarshal(name.Order, &ref.Order) != nil ||
		ref.Validate() != nil {
		return payment.Ref{}
	}
	return ref
}
