package payment

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// eachText replaces each text of a command with what do returns for it and its path in the JSON document: all but the order, the
// return URL and the metadata, which have rules of their own. It takes no pointers, so that a command stays on the stack.
func (c *Command) eachText(do func(field, text string) string) {
	c.Method, c.Language, c.Description = do("method", c.Method), do("language", c.Language), do("description", c.Description)
	c.Customer.ID, c.Customer.Name = do("customer.id", c.Customer.ID), do("customer.name", c.Customer.Name)
	c.Customer.FirstName, c.Customer.LastName = do("customer.first_name", c.Customer.FirstName), do("customer.last_name", c.Customer.LastName)
	c.Customer.Email, c.Customer.Phone = do("customer.email", c.Customer.Email), do("customer.phone", c.Customer.Phone)
	c.Customer.IDType, c.Customer.IDNumber = do("customer.id_type", c.Customer.IDType), do("customer.id_number", c.Customer.IDNumber)
	c.Account.Number, c.Account.Holder = do("account.number", c.Account.Number), do("account.holder", c.Account.Holder)
	c.Account.BankCode, c.Account.BankName = do("account.bank_code", c.Account.BankCode), do("account.bank_name", c.Account.BankName)
	for i, digits := range c.Account.LastDigits {
		c.Account.LastDigits[i] = do(fmt.Sprintf("account.last_digits[%d]", i), digits)
	}
}

// Normalised returns the command with its texts in Unicode's composed form (NFC), in which a Hangul syllable is
// one character. macOS, for one, writes file names in the other form, where it is two or three: both look the
// same, and a bank compares them as different names. The reader of a command calls it once, so that what is
// checked, compared and sent is one text. Metadata stays as it is: it belongs to the upstream.
func (c Command) Normalised() Command {
	c.Account.LastDigits = slices.Clone(c.Account.LastDigits)
	c.eachText(func(_, text string) string { return norm.NFC.String(text) })
	c.ReturnURL = norm.NFC.String(c.ReturnURL)
	return c
}

// normalisedMetadata is what the fingerprint takes of the metadata. Keys that would become one are left.
func normalisedMetadata(metadata map[string]string) map[string]string {
	if len(metadata) == 0 {
		return nil
	}
	values, keys := make(map[string]string, len(metadata)), make(map[string]string, len(metadata))
	for key, value := range metadata {
		values[key] = norm.NFC.String(value)
		keys[norm.NFC.String(key)] = values[key]
	}
	if len(keys) < len(metadata) {
		return values
	}
	return keys
}

func (c Command) textProblems() (problems FieldErrors) {
	if len(c.Account.LastDigits) > MaxLastDigits {
		problems.Say("account.last_digits", fmt.Sprintf("must have at most %d entries", MaxLastDigits))
	}
	c.Account.LastDigits = slices.Clone(c.Account.LastDigits) // another may read them meanwhile
	c.eachText(func(field, text string) string {
		refused := UnseenCharacter
		if field == "description" {
			refused = disruptive
		}
		if problem := textProblem(text, refused); problem != "" {
			problems.Say(field, problem)
		}
		return text
	})
	problem := characterProblem(c.ReturnURL, UnseenCharacter)
	if len(c.ReturnURL) > MaxURL {
		problem = fmt.Sprintf("must have at most %d bytes", MaxURL)
	}
	if problem != "" {
		problems.Say("return_url", problem)
	}
	return problems
}

// Text returns the text of a field by its path in the JSON document, e.g. "account.bank_code"; empty for one that is no text. It
// allocates nothing: a file of payouts asks for each field of each line.
func (c *Command) Text(field string) string {
	switch field {
	case "provider":
		return c.Provider
	case "order":
		return c.Order
	case "method":
		return c.Method
	case "language":
		return c.Language
	case "description":
		return c.Description
	case "return_url":
		return c.ReturnURL
	case "customer.id":
		return c.Customer.ID
	case "customer.name":
		return c.Customer.Name
	case "customer.first_name":
		return c.Customer.FirstName
	case "customer.last_name":
		return c.Customer.LastName
	case "customer.email":
		return c.Customer.Email
	case "customer.phone":
		return c.Customer.Phone
	case "customer.ip_address":
		return c.Customer.IPAddress
	case "customer.id_type":
		return c.Customer.IDType
	case "customer.id_number":
		return c.Customer.IDNumber
	case "account.number":
		return c.Account.Number
	case "account.holder":
		return c.Account.Holder
	case "account.bank_code":
		return c.Account.BankCode
	case "account.bank_name":
		return c.Account.BankName
	}
	return ""
}

// ReturnURLProblem returns what is wrong with an address that a customer's browser is sent to, or "". Only https and http
// lead to a page: javascript, data and the like run in the page of the person who follows them.
func ReturnURLProblem(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || strings.ContainsAny(text, "\\ "):
		return "must be an absolute https or http URL"
	case u.User != nil:
		return "must have no user or password"
	}
	return ""
}

// TextProblem returns what is wrong with a text of one line that a provider gets, or "". It never holds the text.
func TextProblem(text string) string { return textProblem(text, UnseenCharacter) }

func textProblem(text string, refused func(rune) string) string {
	if len(text) > MaxText && utf8.RuneCountInString(norm.NFC.String(text)) > MaxText { // a shorter one cannot have more
		return fmt.Sprintf("must have at most %d characters", MaxText)
	}
	return characterProblem(text, refused)
}

func characterProblem(text string, refused func(rune) string) string {
	if !utf8.ValidString(text) {
		return "must be UTF-8"
	}
	position := 0
	for _, r := range text {
		position++
		if name := refused(r); name != "" {
			return At(name, position)
		}
	}
	return ""
}
