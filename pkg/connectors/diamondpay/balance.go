package diamondpay

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/connectors/masking"
	"payonce/pkg/connectors/strictjson"
	"payonce/pkg/payment"
)

// Balance asks for the account's totals (showdoc and apayasia, balance). It is assumed that total_balance
// does not include total_frozen_balance. Fees can leave a fraction of a won; it is cut off. An error is
// a [*connectors.Error] and says that nothing was learned.
func (c *Connector) Balance(ctx context.Context) ([]connectors.Balance, error) {
	if len(c.settings.Currencies) > 1 {
		return nil, fmt.Errorf("balance: %w", notSent(payment.ReasonInvalid, errors.New("the provider's totals have no currency, and this account has several")))
	}
	reply, err := c.get(ctx, "/gateway/api/"+c.settings.Versions[0]+"/platforms/balance")
	if err != nil {
		return nil, fmt.Errorf("balance: %w", err)
	}
	balance, err := c.balance(reply)
	if err != nil {
		return nil, fmt.Errorf("balance: %w", err)
	}
	return []connectors.Balance{balance}, nil
}

func (c *Connector) balance(reply httpcall.Reply) (connectors.Balance, error) {
	env, bad := c.envelope(reply)
	if bad != nil {
		return connectors.Balance{}, bad
	}
	if env.code != codeProcessed {
		return connectors.Balance{}, indeterminate(masking.Code(env.code), masking.Text(env.message, payment.Command{}), "no answer to a query")
	}
	data, err := env.body.object("data")
	if err != nil || len(data) == 0 {
		return connectors.Balance{}, indeterminate(env.code, "", "the answer has no data")
	}
	f, err := c.verifiedBalance(data)
	if err != nil {
		return connectors.Balance{}, indeterminate(env.code, "", err.Error())
	}
	available, err := f.total("total_balance", c.settings.Currencies[0])
	if err != nil {
		return connectors.Balance{}, indeterminate(env.code, "", err.Error())
	}
	frozen, err := f.total("total_frozen_balance", c.settings.Currencies[0])
	if err != nil {
		return connectors.Balance{}, indeterminate(env.code, "", err.Error())
	}
	return connectors.Balance{Currency: c.settings.Currencies[0], Available: available, Frozen: frozen}, nil
}

// verifiedBalance returns the totals. In v1 every channel is signed, and so is everything but the
// channels; v2 documents no signature.
func (c *Connector) verifiedBalance(data object) (fields, error) {
	if c.settings.Versions[0] == v2 {
		return c.order(data, data.missing(signName))
	}
	channels, _, ok := data.list("platform_channels")
	if !ok && !data.missing("platform_channels") {
		return nil, strictjson.ErrNotAList
	}
	if !ok {
		channels = func(func(object, error) bool) {}
	}
	for channel, err := range channels {
		if err != nil {
			return nil, err
		}
		if _, err := channel.verified(c.settings.SignType, c.settings.secrets()); err != nil {
			return nil, err
		}
	}
	delete(data, "platform_channels")
	return c.order(data, false)
}

// total reads an amount that can have a fraction of a won, and must be there.
func (f fields) total(name, currency string) (payment.Money, error) {
	n, err := strconv.ParseUint(f[name], 10, 63)
	if err != nil || len(f[name]) > maxDigits {
		return payment.Money{}, errAmount
	}
	if currency == krw {
		n /= perWon
	}
	return payment.Money{Minor: int64(n), Currency: currency}, nil
}
