package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"payonce/pkg/payment"
)

// StreamBalances keeps what providers told of the merchant's accounts, for ledgers.
const StreamBalances = "BALANCES"

// BalanceType is the CloudEvents type of a balance.
const BalanceType = "balance.reported"

// BalancesOfAll matches the balances of all providers.
const BalancesOfAll = "balance.reported.*"

// MaxBalanceBytes bounds the message of a balance.
const MaxBalanceBytes = 16 << 10

// BalanceReport is what a provider told of the merchant's account when a worker asked for it. No provider tells a balance by
// itself, with an outcome or in a webhook. The JSON is on the wire and only ever added to.
type BalanceReport struct {
	Provider string `json:"provider"`
	// ReportedAt is when the worker had the answer. Whatever moved while it was asked may be in it or not.
	ReportedAt time.Time         `json:"reported_at"`
	Balances   []ReportedBalance `json:"balances"` // one for each currency
}

// ReportedBalance is what an account holds in one currency. Parts of the currency's smallest unit are cut off, so it can be up to one
// unit less than the account holds.
type ReportedBalance struct {
	Available payment.Money `json:"available"` // can be paid out now
	Frozen    payment.Money `json:"frozen"`    // is there and cannot be paid out yet
}

// BalanceSubject is where the balance of a provider is kept, e.g. "balance.reported.teemopay-kr".
func BalanceSubject(provider string) string { return join("balance", "reported", provider) }

// EncodeBalance returns the event of a balance. id must be unique.
func EncodeBalance(r BalanceReport, id string) (Outgoing, error) {
	if err := r.validate(); err != nil {
		return Outgoing{}, fmt.Errorf("encode balance: %w", err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		return Outgoing{}, fmt.Errorf("encode balance: %w", err)
	}
	attributes := Attributes{
		ID: id, Source: Source, Type: BalanceType, Subject: r.Provider, Time: r.ReportedAt, ContentType: contentJSON, Schema: BalanceSchemaID,
	}
	return Outgoing{Subject: BalanceSubject(r.Provider), Header: attributes.header(), Data: data}, nil
}

// DecodeBalance reads the data of the event of a balance. Fields that this version does not know are ignored.
func DecodeBalance(data []byte) (BalanceReport, error) {
	var r BalanceReport
	err := Unmarshal(data, &r)
	if err == nil {
		err = r.validate()
	}
	if err != nil {
		return BalanceReport{}, fmt.Errorf("decode balance: %w", err)
	}
	return r, nil
}

func (r BalanceReport) validate() error {
	if !payment.ValidProvider(r.Provider) || r.ReportedAt.IsZero() || len(r.Balances) == 0 {
		return errors.New("provider, reported_at and balances are required")
	}
	for _, b := range r.Balances {
		if b.Available.Currency == "" || b.Available.Currency != b.Frozen.Currency {
			return errors.New("a balance has one currency")
		}
	}
	return nil
}
