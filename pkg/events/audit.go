package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"payonce/pkg/payment"
)

// Action is what a person did by hand. Its text is on the wire and only ever added to.
type Action string

// The actions.
const (
	ActionRelease Action = "release" // parked commands delivered before their time
	ActionCancel  Action = "cancel"  // payments given up of which nothing was sent
	ActionSettle  Action = "settle"  // a payment said to have moved money
	ActionFail    Action = "fail"    // a payment said to have moved no money
	ActionRetry   Action = "retry"   // a payment in doubt sent once more
	ActionReplay  Action = "replay"  // dead letters sent to where they came from, or events of the log to an endpoint
	ActionDrop    Action = "drop"    // dead letters deleted
	ActionUnmask  Action = "unmask"  // personal data looked at
	ActionApply   Action = "apply"   // streams made or changed
	ActionAccount Action = "account" // workers began to work with a provider's account; also written by workers themselves
	ActionAccept  Action = "accept"  // a log of payments accepted that has lost its past
	ActionSkip    Action = "skip"    // an event of the log stepped over that cannot be read
	ActionErase   Action = "erase"   // personal data of a payment erased
	ActionRebuild Action = "rebuild" // the archive made again from another log than it had read
	ActionImport  Action = "import"  // a file of payouts queued
	ActionTest    Action = "test"    // a test event sent to an endpoint
	ActionDisable Action = "disable" // an endpoint gets no events until it is enabled
	ActionEnable  Action = "enable"  // a disabled endpoint gets events again
	ActionRewind  Action = "rewind"  // the consumer of a ledger set back, so that it reads the log again
)

// Actions lists all actions.
func Actions() []Action {
	return []Action{ActionRelease, ActionCancel, ActionSettle, ActionFail, ActionRetry, ActionReplay, ActionDrop, ActionUnmask, ActionApply, ActionAccount, ActionAccept, ActionSkip, ActionErase, ActionImport, ActionTest, ActionDisable, ActionEnable, ActionRewind, ActionRebuild}
}

// Stage says which record of an action this is. An intent without a result was interrupted: what it names may be done or
// not. Its text is on the wire and only ever added to.
type Stage string

// The stages.
const (
	Intended Stage = "intended" // written before the action
	Finished Stage = "finished" // written after it, with what came of it
	// The stages of an action that needs a second person. Of a request, one of the last four is the end.
	Requested Stage = "requested" // nothing is done until another person approves it
	Approved  Stage = "approved"  // by another person; intended and finished follow
	Refused   Stage = "refused"   // by another person
	Expired   Stage = "expired"   // it was not approved in time
	Overtaken Stage = "overtaken" // the payment changed before it was approved
)

// Stages lists all stages.
func Stages() []Stage {
	return []Stage{Intended, Finished, Requested, Approved, Refused, Expired, Overtaken}
}

// EndsRequest reports whether a record of this stage ends the request that it names: it cannot be approved any more.
func (s Stage) EndsRequest() bool {
	return s == Approved || s == Refused || s == Expired || s == Overtaken
}

// AuditRecord is one record of the stream AUDIT. The JSON is on the wire and only ever added to.
type AuditRecord struct {
	ID       string    `json:"id"` // of the action: its intent and its result have the same
	Stage    Stage     `json:"stage"`
	Action   Action    `json:"action"`
	Provider string    `json:"provider"`        // [NoProvider] where it is not known
	Order    string    `json:"order,omitempty"` // where the action is about one order
	By       string    `json:"by"`              // the person
	Reason   string    `json:"reason"`          // in the person's words
	At       time.Time `json:"at"`
	// Filter is what was asked for, by the names of the command's flags.
	Filter map[string]string `json:"filter,omitempty"`
	// Amount is what a person says was settled, or for [ActionImport] the sum of the file's payouts.
	Amount payment.Money `json:"amount,omitzero"`
	// File is, for [ActionImport], the file.
	File AuditFile `json:"file,omitzero"`
	// Account is, for [ActionAccount], the account that is worked with from now on, and AccountBefore the one until then.
	// Neither holds a secret.
	Account       string `json:"account,omitempty"`
	AccountBefore string `json:"account_before,omitempty"`
	// Log and LogSequence are, for [ActionAccept] and [ActionRebuild], the log that is accepted or read ([LogMark]), and where it
	// ended then.
	Log         string `json:"log,omitempty"`
	LogSequence uint64 `json:"log_sequence,omitempty"`
	// Request is, in what follows a request, its sequence in AUDIT, and ExpiresAt, in a request, when it can no longer be
	// approved.
	Request   uint64      `json:"request,omitempty"`
	ExpiresAt time.Time   `json:"expires_at,omitzero"`
	Items     []AuditItem `json:"items"`
	// Previous and LogState are written by the store of the record, see [AuditLink] and [LogState].
	Previous AuditLink `json:"previous,omitzero"`
	LogState LogState  `json:"log_state,omitzero"`
}

// AuditFile is a file of payouts. It names no payout: each is in COMMANDS and in the log.
type AuditFile struct {
	Name    string `json:"name"`   // without its folder
	SHA256  string `json:"sha256"` // of its bytes, in lower case hexadecimal
	Payouts int    `json:"payouts"`
	// Results are, in a result, how many payouts came to what: new, already_there, conflict or unsent.
	Results map[string]int `json:"results,omitempty"`
}

// AuditItem is one thing that an action was done to.
type AuditItem struct {
	Order      string         `json:"order,omitempty"`
	Upstream   string         `json:"upstream,omitempty"`    // whose payment or message it is, where that is known
	DeadLetter uint64         `json:"dead_letter,omitempty"` // its sequence in DEADLETTERS
	Event      uint64         `json:"event,omitempty"`       // its sequence in PAYMENTS; in a request, the payment's last event then
	Amount     payment.Money  `json:"amount,omitzero"`       // in a request: the payment's
	Stream     string         `json:"stream,omitempty"`      // a stream or consumer, and how it differs from its definition
	Before     payment.Status `json:"before,omitempty"`      // the payment's status when the action was decided
	After      payment.Status `json:"after,omitempty"`       // the payment's status afterwards
	Result     string         `json:"result,omitempty"`      // in a result: what came of it, for people
}

// auditNone is in the subject of an audit record that is not about one order.
const auditNone = "-"

// AuditSubject is where the audit record of an action is kept: "operator.release.teemopay-kr.D-1", or with
// "-" in the place of the order where it is about several.
func AuditSubject(action Action, provider, order string) string {
	if !payment.ValidProvider(provider) {
		provider = NoProvider
	}
	if !payment.ValidOrder(order) {
		order = auditNone
	}
	return join("operator", string(action), provider, order)
}

// EncodeAudit returns the message that keeps an audit record. eventID must be unique.
func EncodeAudit(r AuditRecord, eventID string) (Outgoing, error) {
	if r.ID == "" || r.By == "" || r.Reason == "" || r.At.IsZero() || r.Action == "" || r.Stage == "" {
		return Outgoing{}, errors.New("encode audit: id, stage, action, by, reason and at are required")
	}
	data, err := json.Marshal(r)
	if err != nil {
		return Outgoing{}, fmt.Errorf("encode audit: %w", err)
	}
	attributes := Attributes{
		ID: eventID, Source: Source, Type: "operator." + string(r.Action), Time: r.At, ContentType: contentJSON,
		Subject: r.Provider,
	}
	if r.Order != "" {
		attributes.Subject = payment.Ref{Provider: r.Provider, Order: r.Order}.String()
	}
	return Outgoing{Subject: AuditSubject(r.Action, r.Provider, r.Order), Header: attributes.header(), Data: data}, nil
}

// DecodeAudit reads an audit record. Fields that this version does not know are ignored.
func DecodeAudit(data []byte) (AuditRecord, error) {
	items, err := checkLists(data, "items")
	if err != nil {
		return AuditRecord{}, fmt.Errorf("decode audit: %w", err)
	}
	var r AuditRecord
	if items > 0 {
		r.Items = make([]AuditItem, 0, items)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return AuditRecord{}, fmt.Errorf("decode audit: %w", err)
	}
	return r, nil
}

// AuditEntry is a record as it stands in AUDIT.
type AuditEntry struct {
	Sequence uint64
	StoredAt time.Time
	Subject  string
	Account  string // of who wrote it, by the server; empty on a server without accounts for persons
	Record   AuditRecord
	// Problem says why the record cannot be read, or is not to be believed. Record is empty then.
	Problem string
}

// Author is the person who wrote the record: as the server says it where it does, or else as the record says.
func (e AuditEntry) Author() string {
	if person := AccountPerson(e.Account); person != "" {
		return person
	}
	return e.Record.By
}
