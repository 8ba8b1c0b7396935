package simulation

import (
	"reflect"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// One run in sixteen reads events and commands from their bytes, as the engine does in production. It finds a promise broken
// where what it reads is not what was written. So the other runs may go by what was written, which takes a third less time.
const bytesEvery = 16

// encode returns the bytes of an event. Where they are not read, that they can be written is all that is asked of them.
func (w *world) encode(p payment.Payment) ([]byte, error) {
	if w.bytes {
		return events.AppendPayment(nil, p)
	}
	data, err := events.AppendPayment(w.scratch[:0], p)
	if err == nil {
		w.scratch = data
	}
	return nil, err
}

// readBack returns a payment as its event is read.
func (w *world) readBack(p payment.Payment, seq uint64, data []byte) payment.Payment {
	if !w.bytes {
		return p
	}
	read, err := events.ReadPayment(events.PaymentSubject(p.Status, p.Ref), seq, data)
	if err != nil {
		w.problem("%s: an event cannot be read: %v", p.Order, err)
	}
	w.same(p.Ref, p, read)
	return read
}

// decodeCommand returns the command of the message that is at work: a message is delivered some dozens of times.
func (w *world) decodeCommand(m events.Message) (payment.Command, error) {
	if w.current == nil || w.mutant.stored != nil {
		return events.DecodeCommand(m)
	}
	sent := w.current.m
	if w.bytes && !sent.read {
		cmd, err := events.DecodeCommand(m)
		if err != nil {
			return cmd, err
		}
		w.same(sent.ref, *sent.command, cmd)
		w.same(sent.ref, *sent.asked, payment.New(cmd))
		sent.command, sent.read = &cmd, true
	}
	return *sent.command, nil
}

// newPayment returns the payment that this command asks for.
func (w *world) newPayment(cmd payment.Command) payment.Payment {
	if w.current == nil || w.mutant.stored != nil {
		return payment.New(cmd)
	}
	return *w.current.m.asked
}

// same checks that what was read is what was written.
func (w *world) same(ref payment.Ref, written, read any) {
	if !reflect.DeepEqual(written, read) {
		w.problem("%s: written as %+v, read as %+v", ref.Order, written, read)
	}
}
