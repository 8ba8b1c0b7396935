package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"payonce/pkg/payment"
)

// ActionType is the CloudEvents type of the message that holds what a customer must do.
const ActionType = "action.stored"

// ErrNoAction says that the content of an action is not kept any more: it was erased, or its retention has passed.
var ErrNoAction = errors.New("the content of the action is not stored any more")

var validActionID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// ValidActionID reports whether an id can name a stored action; it is one subject token.
func ValidActionID(id string) bool { return validActionID.MatchString(id) }

// ActionSubject is where the content of one action of a payment is kept, e.g. "action.stored.teemopay-kr.D-1.<id>".
func ActionSubject(ref payment.Ref, id string) string {
	return join("action", "stored", ref.Provider, ref.Order, id)
}

// actionData is the data of a stored action.
type actionData struct {
	payment.Ref
	Action payment.Action `json:"action"`
}

// EncodeAction returns the message that keeps the content of an action of a payment under an id, which must be unique.
func EncodeAction(ref payment.Ref, a payment.Action, id string, at time.Time) (Outgoing, error) {
	if err := ref.Validate(); err != nil {
		return Outgoing{}, fmt.Errorf("encode action: %w", err)
	}
	if !ValidActionID(id) || a.Missing() {
		return Outgoing{}, fmt.Errorf("encode action of %s: an id and the content are required", ref)
	}
	data, err := json.Marshal(actionData{Ref: ref, Action: a})
	if err != nil {
		return Outgoing{}, fmt.Errorf("encode action of %s: %w", ref, err)
	}
	attributes := Attributes{
		ID: id, Source: Source, Type: ActionType, Subject: ref.String(), Time: at, ContentType: contentJSON, Schema: ActionSchemaID,
	}
	return Outgoing{Subject: ActionSubject(ref, id), Header: attributes.header(), Data: data}, nil
}

// DecodeAction reads the content of an action that is kept under an id. It must be of the payment that asks for it.
func DecodeAction(ref payment.Ref, id string, data []byte) (*payment.Action, error) {
	var d actionData
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("decode action of %s: %w", ref, err)
	}
	if d.Ref != ref {
		return nil, fmt.Errorf("decode action of %s: it is of another payment", ref)
	}
	d.Action.Stored = id
	return &d.Action, nil
}
