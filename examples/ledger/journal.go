package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"payonce/pkg/client"
)

// entry is one line of the journal: an order's booked amount goes from one value to another. Each outcome
// says what the amount is now, so nothing is added up and nothing can be added twice.
type entry struct {
	Event     string `json:"event"`
	Provider  string `json:"provider"`
	Order     string `json:"order"`
	Operation string `json:"operation"` // a deposit is credited, a payout debited
	Revision  int    `json:"revision"`
	Status    string `json:"status"`
	From      amount `json:"from,omitzero"` // missing where nothing was booked before
	To        amount `json:"to,omitzero"`   // missing where no amount is known: of a conflict that came first, or a refused command without an amount
	// Fee is what the provider keeps, exactly as it says, and CompletedAt when it says that the payment ended: the value date. Both are
	// missing where the provider did not tell them, or nothing that can be booked: then its statement says it.
	Fee         *amount   `json:"fee,omitempty"`
	CompletedAt time.Time `json:"completed_at,omitzero"`
	Stop        bool      `json:"stop,omitempty"` // a person must look before anything else is done with the order
}

type amount struct {
	Value    string `json:"value"`
	Currency string `json:"currency"`
}

// journal is a file of entries and what they come to. It is for one goroutine of one process.
type journal struct {
	file  *os.File
	last  map[string]entry // by provider/order
	dirty bool
}

// openJournal reads the file, and cuts off a line that a crash left unfinished: it was never acknowledged.
func openJournal(path string) (*journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{file: file, last: map[string]entry{}}
	if err := j.load(); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return j, nil
}

func (j *journal) load() error {
	if err := syscall.Flock(int(j.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("another ledger books into it: %w", err)
	}
	text, err := io.ReadAll(j.file)
	if err != nil {
		return err
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	if err := j.file.Truncate(int64(len(whole))); err != nil {
		return err
	}
	for line := range bytes.Lines(whole) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		j.last[e.Provider+"/"+e.Order] = e
	}
	j.dirty = true // what was read may not be on the disk yet
	return j.sync()
}

// nothing is 0 of the currency of what was booked before, or else of what was asked for. It is missing where neither is known.
func nothing(before, asked string) amount {
	currency := cmp.Or(before, asked)
	if currency == "" {
		return amount{}
	}
	return amount{Value: "0", Currency: currency}
}

// post writes what an outcome changes and returns the line, or "" if the order's journal is as far already.
// It is on the disk after sync.
func (j *journal) post(event client.Event) (string, error) {
	p := event.Payment
	key := p.Provider + "/" + p.Order
	before := j.last[key]
	if p.Revision <= before.Revision {
		return "", nil // delivered again, or out of order: a later event has said it all
	}
	e := entry{Event: event.ID, Provider: p.Provider, Order: p.Order, Operation: string(p.Operation), Revision: p.Revision, Status: string(p.Status)}
	if before.To.Currency != "" { // without one it is a line of an older version, about nothing
		e.From = before.To
	}
	switch p.Status {
	case "settled":
		if p.SettledAmount.IsZero() {
			return "", errors.New(key + " is settled without settled_amount")
		}
		e.To = amount{p.SettledAmount.Value(), p.SettledAmount.Currency} // not what was asked for: what the provider says arrived
		if e.CompletedAt = p.ProviderCompletedAt; !p.Fee.IsZero() && !p.FeeImpossible() {
			e.Fee = &amount{p.Fee.Value(), p.Fee.Currency}
		}
	case "failed", "reversed":
		e.To = nothing(before.To.Currency, p.Amount.Currency)
	case "conflict":
		e.To, e.Stop = e.From, true // the outcome is unknown: a settled or failed follows, by a person
	default:
		return "", fmt.Errorf("%s: the status %q is not an outcome", key, p.Status)
	}
	line, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return "", err
	}
	j.last[key], j.dirty = e, true
	return string(line), nil
}

// sync returns when all that was posted is on the disk.
func (j *journal) sync() error {
	if !j.dirty {
		return nil
	}
	j.dirty = false
	return j.file.Sync()
}

func (j *journal) close() error { return j.file.Close() }
