package payment

import "maps"

// Differences returns the fields in which a command differs from the one that a payment came of, as far as a payment keeps them:
// what a customer typed it does not.
func (p Payment) Differences(cmd Command) (fields FieldErrors) {
	const problem = "differs from the first command of this order"
	if p.Operation != cmd.Operation {
		fields.Say("operation", problem+", a "+string(p.Operation))
	}
	if !p.Amount.IsZero() && !cmd.Amount.IsZero() {
		if p.Amount.Currency != cmd.Amount.Currency {
			fields.Say("amount.currency", problem)
		}
		if p.Amount.Value() != cmd.Amount.Value() {
			fields.Say("amount.value", problem)
		}
	}
	if len(p.Metadata)+len(cmd.Metadata) > 0 && !maps.Equal(normalisedMetadata(p.Metadata), normalisedMetadata(cmd.Metadata)) {
		fields.Say("metadata", problem)
	}
	return fields
}
