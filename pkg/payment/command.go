package payment

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"
	"unicode/utf8"
)

// Command is what an upstream service asks for: one deposit or one payout. It holds personal data of
// the customer, so it is never logged and never written to the log of payments; it lives in the
// command queue until the payment has left it.
type Command struct {
	Ref
	Operation Operation `json:"operation"`
	Amount    Money     `json:"amount"`
	// Method chooses one of the provider's ways of paying, e.g. "va"; empty takes its default.
	Method   string   `json:"method,omitempty"`
	Customer Customer `json:"customer,omitzero"`
	// Account is where a payout goes, or where a deposit comes from.
	Account Account `json:"account,omitzero"`
	// ReturnURL is where the provider sends the customer's browser afterwards.
	ReturnURL string `json:"return_url,omitempty"`
	// Language of the provider's pages, e.g. "ko".
	Language string `json:"language,omitempty"`
	// Description is shown to the customer where the provider does so.
	Description string `json:"description,omitempty"`
	// RequestedAt is when the upstream made the command. It is no part of the fingerprint, so that an
	// upstream may send a command again with a new time.
	RequestedAt time.Time `json:"requested_at,omitzero"`
	// ExpiresAt is when the customer stops waiting: after it the payment is not begun any more.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Upstream is the service that asks. The broker or the ingress says who that is, never the command itself; a command
	// of our own programs may have none. It is no part of the fingerprint, so that commands of before versions knew
	// upstreams are still recognised.
	Upstream string `json:"-"`
	// Metadata belongs to the upstream; it comes back unchanged in every event.
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Customer is the person who pays or is paid.
type Customer struct {
	ID        string `json:"id,omitempty"`   // the merchant's own number for this person
	Name      string `json:"name,omitempty"` // full name as the bank knows it
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	Email     string `json:"email,omitempty"`
	Phone     string `json:"phone,omitempty"` // national form, digits only: "01012345678"
	IPAddress string `json:"ip_address,omitempty"`
	// IDType and IDNumber name an identity document where a provider asks for one, e.g. "RRN", "CO".
	IDType   string `json:"id_type,omitempty"`
	IDNumber string `json:"id_number,omitempty"`
}

// Account is a bank account.
type Account struct {
	Number   string `json:"number,omitempty"`
	Holder   string `json:"holder,omitempty"`
	BankCode string `json:"bank_code,omitempty"` // the provider's code or id of the bank
	BankName string `json:"bank_name,omitempty"`
	// LastDigits holds the last five digits of each account that a deposit may come from (Taiwan).
	LastDigits []string `json:"last_digits,omitempty"`
}

// Limits of a command. They bound what one message can cost, not what a provider accepts.
const (
	MaxMetadataKeys  = 32
	MaxMetadataKey   = 64   // bytes of one key
	MaxMetadataValue = 1024 // bytes of one value
	MaxText          = 256  // characters of any other text
	MaxURL           = 2048 // bytes
	MaxLastDigits    = 10
)

// Validate checks everything about a command that holds for every provider. It returns [FieldErrors] with all fields that
// are not acceptable. A provider's own rules are checked by its connector.
func (c Command) Validate() error {
	var problems FieldErrors
	problems.Add(c.Ref.problems()...)
	if !c.Operation.Valid() {
		problems.Say("operation", "must be deposit or payout")
	}
	switch {
	case c.Amount.IsZero():
		problems.Say("amount", "is required")
	case !c.Amount.writable() || c.Amount.Minor == 0:
		problems.Say("amount.value", fmt.Sprintf("must be positive, with at most %d digits before the point", maxIntegerDigits))
	}
	for _, t := range []struct {
		field string
		time  time.Time
	}{{"requested_at", c.RequestedAt}, {"expires_at", c.ExpiresAt}} {
		if !ValidTime(t.time) {
			problems.Say(t.field, "must be in the years 0 to 9999 UTC")
		}
	}
	if c.Customer.IPAddress != "" {
		if ip, err := netip.ParseAddr(c.Customer.IPAddress); err != nil || ip.Zone() != "" { // a zone can be any text
			problems.Say("customer.ip_address", "must be an IP address")
		}
	}
	problems.Add(c.textProblems()...)
	if problem := metadataProblem(c.Metadata); problem != "" {
		problems.Say("metadata", problem)
	}
	return problems.Err()
}

// ValidTime reports whether t can be written as RFC 3339 in UTC, which has four digits for the year.
// 9999-12-31T23:59:59-01:00 cannot.
func ValidTime(t time.Time) bool {
	year := t.UTC().Year()
	return 0 <= year && year <= 9999
}

func metadataProblem(metadata map[string]string) string {
	if len(metadata) > MaxMetadataKeys {
		return fmt.Sprintf("must have at most %d keys", MaxMetadataKeys)
	}
	for key, value := range metadata {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return "must be UTF-8"
		}
		if key == "" || len(key) > MaxMetadataKey {
			return fmt.Sprintf("keys must have 1 to %d bytes", MaxMetadataKey)
		}
		if len(value) > MaxMetadataValue {
			return fmt.Sprintf("values must have at most %d bytes", MaxMetadataValue)
		}
	}
	return ""
}

// Fingerprint is the SHA-256 of the command's meaning, in hex. Two commands with the same fingerprint
// ask for the same thing: field order, blanks, the way of writing an amount and Unicode's two forms of one
// text do not matter, and neither does RequestedAt. Everything else does, Metadata too. It panics for an amount or a time that
// cannot be written as JSON; no decoded command has one, and Validate refuses them.
func (c Command) Fingerprint() string {
	c = c.Normalised()
	c.Metadata = normalisedMetadata(c.Metadata)
	c.RequestedAt = time.Time{}
	c.ExpiresAt = c.ExpiresAt.UTC()
	if len(c.Account.LastDigits) == 0 {
		c.Account.LastDigits = nil // an empty list says nothing
	}
	canonical, err := json.Marshal(c) // struct order is fixed and map keys are sorted
	if err != nil {
		panic("payment: a command cannot fail to encode: " + err.Error())
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}
