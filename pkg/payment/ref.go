package payment

// Ref names one payment: the configured account at a payment provider, and the merchant's order
// number there. It is the idempotency key everywhere: in Redis, in the log, at the provider.
type Ref struct {
	Provider string `json:"provider"` // configured name of the account, e.g. "teemopay-kr"
	Order    string `json:"order"`    // merchant's order number, e.g. "D-20261122-0001"
}

// String returns "provider/order", for messages to people.
func (r Ref) String() string { return r.Provider + "/" + r.Order }

// characters are those of which a name is made, by their byte.
type characters [256]bool

// What the names are made of.
var (
	providerCharacters = charactersOf("abcdefghijklmnopqrstuvwxyz0123456789-")
	orderCharacters    = charactersOf("abcdefghijklmnopqrstuvwxyz0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZ_")
)

func charactersOf(text string) *characters {
	var of characters
	for i := range len(text) {
		of[text[i]] = true
	}
	return &of
}

// named reports whether text is 1 to most of the characters. It is asked several times for every message.
func named(text string, most int, of *characters) bool {
	for i := range len(text) {
		if !of[text[i]] {
			return false
		}
	}
	return text != "" && len(text) <= most
}

// ValidProvider reports whether name can be a provider's name: 1 to 32 of a-z, 0-9 and "-". Such a
// name is one token of a NATS subject and one segment of a URL path.
func ValidProvider(name string) bool { return named(name, 32, providerCharacters) }

// ValidOrder reports whether order can be an order number: 1 to 64 of A-Z, a-z, 0-9, "_" and "-".
// A provider may allow fewer characters or a shorter number; its connector's traits say so.
func ValidOrder(order string) bool { return named(order, MaxOrder, orderCharacters) }

// MaxOrder is the longest order number, in characters.
const MaxOrder = 64

// Validate returns a [FieldError] for the first part of r that is not valid.
func (r Ref) Validate() error {
	if problems := r.problems(); len(problems) > 0 {
		return problems[0]
	}
	return nil
}

func (r Ref) problems() (problems FieldErrors) {
	switch {
	case ValidProvider(r.Provider):
	case r.Provider == "":
		problems.Say("provider", "is required")
	default:
		problems.Say("provider", `must be 1 to 32 characters of a-z, 0-9 and "-"`)
	}
	switch {
	case ValidOrder(r.Order):
	case r.Order == "":
		problems.Say("order", "is required")
	default:
		problems.Say("order", `must be 1 to 64 characters of A-Z, a-z, 0-9, "_" and "-"`)
	}
	return problems
}

// FieldError says which field of a command is not acceptable, and why. It never holds the value,
// because the value can be personal data.
type FieldError struct {
	Field   string // path in the JSON document, e.g. "amount.value"
	Problem string // for people, e.g. "must be a positive whole number of won"
}

func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Problem
	}
	return e.Field + ": " + e.Problem
}

// Operation says in which direction money is to move.
type Operation string

// The operations. Their text is on the wire: in subjects, events, URLs and configuration.
const (
	Deposit Operation = "deposit" // from the customer to the merchant
	Payout  Operation = "payout"  // from the merchant to the customer
)

// Operations lists all operations.
func Operations() []Operation { return []Operation{Deposit, Payout} }

// Valid reports whether o is a known operation.
func (o Operation) Valid() bool { return o == Deposit || o == Payout }
