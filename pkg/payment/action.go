package payment

import "time"

// ActionType says what kind of thing the customer must do.
type ActionType string

// The action types.
const (
	ActionRedirect      ActionType = "redirect"      // open or post to a URL
	ActionTransfer      ActionType = "transfer"      // transfer money to an account
	ActionClarification ActionType = "clarification" // tell the provider more
)

// Action is what the customer, or the upstream for the customer, must do next. Exactly one of the
// pointers is set, the one that Type names; none is in an action without its content ([Action.Missing]).
type Action struct {
	Type ActionType `json:"type"`
	// Stored is the id under which the content is kept beside the log; empty where it is not kept there. Links and
	// account holders are personal, and the log of payments cannot forget.
	Stored        string                `json:"-"`
	Redirect      *Redirect             `json:"redirect,omitempty"`
	Transfer      *TransferInstructions `json:"transfer,omitempty"`
	Clarification *Clarification        `json:"clarification,omitempty"`
}

// Missing reports whether the content of an action is not here: it was not read, or it is not kept any more.
func (a *Action) Missing() bool {
	return a != nil && a.Stored != "" && a.Redirect == nil && a.Transfer == nil && a.Clarification == nil
}

// Same reports whether two actions, or none, ask for the same. One without its content is only the same as another with
// its id.
func (a *Action) Same(b *Action) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Stored != "" && a.Stored == b.Stored {
		return true
	}
	if a.Missing() || b.Missing() {
		return false
	}
	left, right := *a, *b
	left.Stored, right.Stored = "", ""
	return sameJSON(left, right)
}

// Redirect sends the customer's browser to the provider's page.
type Redirect struct {
	Method string            `json:"method"` // GET or POST
	URL    string            `json:"url"`
	Fields map[string]string `json:"fields,omitempty"` // form fields of a POST
	// RegisterURL is where a customer goes who uses this channel for the first time.
	RegisterURL string `json:"register_url,omitempty"`
}

// TransferInstructions tells the customer where to transfer money to.
type TransferInstructions struct {
	AccountNumber string `json:"account_number"`
	AccountHolder string `json:"account_holder,omitempty"`
	BankCode      string `json:"bank_code,omitempty"`
	BankName      string `json:"bank_name,omitempty"`
	BankBranch    string `json:"bank_branch,omitempty"`
	// Amount that the customer must transfer, where the provider wants another than was asked for.
	Amount    Money             `json:"amount,omitzero"`
	Reference string            `json:"reference,omitempty"` // text that the transfer must carry
	QRCode    string            `json:"qr_code,omitempty"`   // content of a QR code
	ExpiresAt time.Time         `json:"expires_at,omitzero"`
	Messages  map[string]string `json:"messages,omitempty"` // language code → text for the customer
}

// Clarification lists what the provider wants to know. Fields maps a group to its field names, or
// Schema is the provider's JSON Schema as text.
type Clarification struct {
	Fields   map[string][]string `json:"fields,omitempty"`
	Schema   string              `json:"schema,omitempty"`
	Messages map[string]string   `json:"messages,omitempty"` // language code → text for the customer
}
