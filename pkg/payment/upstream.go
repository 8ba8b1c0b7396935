package payment

// ValidUpstream reports whether name can be an upstream's: 1 to 64 of A-Z, a-z, 0-9, "_" and "-".
func ValidUpstream(name string) bool { return named(name, 64, orderCharacters) }

// VisibleTo reports whether an upstream may know that the payment exists: the one that asked for it, and any for a payment
// without an [Payment.Upstream].
func (p Payment) VisibleTo(upstream string) bool { return p.Upstream == "" || p.Upstream == upstream }

// TakenFor reports whether the order may be worked for a command of this upstream. A command without one comes from our
// own programs, which may repeat what they were given for any upstream.
func (p Payment) TakenFor(upstream string) bool { return upstream == "" || p.VisibleTo(upstream) }
