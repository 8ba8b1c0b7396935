package teemopay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/masking"
	"payonce/pkg/payment"
)

const balancePath = "/api/pay/merchant/balance" // korea/inquire/balance

// Balance asks what the account holds in won. Fees make parts of a won, which cannot be paid out: they are
// cut off.
func (c *Connector) Balance(ctx context.Context) ([]connectors.Balance, error) {
	data, err := c.inquire(ctx, balancePath, struct{}{})
	if err != nil {
		return nil, fmt.Errorf("ask for the balance: %w", err)
	}
	balance, err := readBalance(data)
	if err != nil {
		return nil, fmt.Errorf("ask for the balance: %w", indeterminate("200", "", err.Error()))
	}
	return []connectors.Balance{balance}, nil
}

func readBalance(data object) (connectors.Balance, error) {
	f, _ := data.fields()
	available, err1 := f.wonCut("availAmount")
	frozen, err2 := f.wonCut("frozenAmount")
	if err := errors.Join(err1, err2); err != nil {
		return connectors.Balance{}, err
	}
	return connectors.Balance{Currency: available.Currency, Available: available, Frozen: frozen}, nil
}

// inquire makes one request that changes nothing, and returns the data of an answer with code 200. An
// error is a [*connectors.Error] that says that nothing was learned.
func (c *Connector) inquire(ctx context.Context, path string, request any) (object, error) {
	reply, err := c.call(ctx, path, request)
	if err != nil {
		return nil, err
	}
	env, bad := c.envelope(reply)
	switch {
	case bad != nil:
		return nil, bad
	case env.code != codeProcessed:
		return nil, indeterminate(masking.Code(strconv.Itoa(env.code)), masking.Text(env.message, payment.Command{}), "no answer to a query")
	case env.data == nil:
		return nil, indeterminate("200", "", "an answer without data")
	}
	return env.data, nil
}

// wonCut returns an amount like "984.85" as whole won, without what is less than one.
func (f fields) wonCut(name string) (payment.Money, error) {
	whole, fraction, dotted := strings.Cut(f[name], ".")
	if dotted && (fraction == "" || strings.Trim(fraction, "0123456789") != "") {
		return payment.Money{}, fmt.Errorf("%s is not an amount", name)
	}
	amount, err := payment.ParseMoney(whole, "KRW")
	if err != nil {
		return payment.Money{}, fmt.Errorf("%s is missing or not an amount", name)
	}
	return amount, nil
}
