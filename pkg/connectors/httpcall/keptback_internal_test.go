package httpcall

import (
	"errors"
	"io"
	"testing"

	"payonce/pkg/payment"
)

// Go's transport can report the end of a connection before the refusal that ended it. The refusal is the reason all the same.
func TestARefusalIsTheReason(t *testing.T) {
	tooLate := errors.New("too late")
	for name, c := range map[string]struct {
		kept error
		code string
		is   error
	}{
		"refused":     {&refusedError{tooLate}, payment.ReasonInterrupted, tooLate},
		"not refused": {errClosing, payment.ReasonUnreachable, io.EOF},
		"not kept":    {nil, payment.ReasonUnreachable, io.EOF},
	} {
		if e := keptBack(&outgoing{kept: c.kept}, nil, io.EOF); e.Code != c.code || !errors.Is(e, c.is) {
			t.Errorf("%s: %v with the code %s", name, e, e.Code)
		}
	}
}
