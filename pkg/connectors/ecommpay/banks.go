package ecommpay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"payonce/pkg/boundedjson"
	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// bankList is what the provider said about its banks, and when. It is never changed.
type bankList struct {
	banks []connectors.Bank
	at    time.Time
}

// A request for the list must name a payment and an amount; any will do (Korean banks page).
const (
	banksOrder  = "bank-list"
	banksAmount = minDeposit
)

// Banks asks for the banks of an operation, or answers from memory for [Settings].BankListCache. An error
// is a [*connectors.Error] and leaves what is remembered as it was.
func (c *Connector) Banks(ctx context.Context, op payment.Operation) ([]connectors.Bank, error) {
	if !op.Valid() {
		return nil, fmt.Errorf("list banks: %w", notSent(payment.ReasonInvalid, errors.New("not an operation")))
	}
	if banks, fresh := c.remembered(op); fresh {
		return banks, nil
	}
	path := saleBanksPath
	if op == payment.Payout {
		path = payoutBanksPath
	}
	request := c.about(banksOrder)
	request.Payment = &gatePayment{Amount: banksAmount, Currency: "KRW"}
	reply, err := c.call(ctx, path, request)
	if err != nil {
		return nil, fmt.Errorf("list banks for a %s: %w", op, err)
	}
	banks, err := readBanks(reply.Body)
	if reply.Status != http.StatusOK || err != nil {
		return nil, fmt.Errorf("list banks for a %s: %w", op, c.later(reply, indeterminate("http_"+strconv.Itoa(reply.Status), "", "the answer is not a list of banks")))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lists[op] = bankList{banks: banks, at: c.now()}
	return slices.Clone(banks), nil
}

// remembered returns the banks of a list that is not too old.
func (c *Connector) remembered(op payment.Operation) (banks []connectors.Bank, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, known := c.lists[op]
	age := c.now().Sub(list.at)
	return slices.Clone(list.banks), known && age >= 0 && age < c.settings.BankListCache
}

// mayServe reports whether a bank can be served, as far as that is known.
func (c *Connector) mayServe(op payment.Operation, code string) bool {
	banks, fresh := c.remembered(op)
	return !fresh || slices.ContainsFunc(banks, func(b connectors.Bank) bool { return b.Code == code })
}

// readBanks reads [{"id":771,"name":"Kookmin Bank","nativeName":…}]. A list without a single bank, or with
// one that cannot be named, would refuse every payout, so it is no list.
func readBanks(body []byte) ([]connectors.Bank, error) {
	list, err := parseDocument(body, answerLimits)
	if err != nil || list.Kind() != boundedjson.List || list.Empty() {
		return nil, errDocument
	}
	var banks []connectors.Bank
	for item := range list.Inner() {
		bank := connectors.Bank{Code: item.Get("id").Text(), Name: item.Get("name").Text(), NativeName: item.Get("nativeName").Text()}
		if !bankPattern.MatchString(bank.Code) {
			return nil, errDocument
		}
		banks = append(banks, bank)
	}
	return banks, nil
}
