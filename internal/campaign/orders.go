package campaign

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"payonce/internal/trial"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// Order is one payment of the campaign.
type Order struct {
	Ref       payment.Ref
	Operation payment.Operation
	Amount    payment.Money
	// Faults are what goes wrong with this order at the provider.
	Faults []sandbox.FaultName
	// Page is true if the provider hears of it only when the customer opens a payment page.
	Page bool
	// Command is the JSON that the upstream sends.
	Command string
	// Way is how it is sent.
	Way Way
	// Accepted is true once payonce has said that it has the order.
	Accepted bool
}

// Way is how an order comes in.
type Way string

// The ways.
const (
	ByHTTP  Way = "http"         // POST to the ingress
	ByNATS  Way = "nats"         // published on the order's own subject
	ByShort Way = "nats (short)" // published on deposit.requested or payout.requested
)

// misfortune is what goes wrong with an order at the provider: what its number says after the dash.
type misfortune struct {
	weight int
	text   string // for the order number, see the sandbox's admin API
	faults []sandbox.FaultName
	// only, if set, is the account that can play it; op the operation.
	only string
	op   payment.Operation
}

// misfortunes of orders, of 100. Each has a known right end, and most of them settle.
var misfortunes = []misfortune{
	{weight: 52},
	// The provider executes and says nothing, or nothing that can be understood.
	{weight: 7, text: "x-drop", faults: []sandbox.FaultName{sandbox.Drop}},
	{weight: 2, text: "x-drop-x-lag", faults: []sandbox.FaultName{sandbox.Drop, sandbox.Lag}},
	{weight: 2, text: "x-drop-x-query503_2", faults: []sandbox.FaultName{sandbox.Drop, sandbox.Query503}},
	{weight: 2, text: "x-drop-x-early-callback", faults: []sandbox.FaultName{sandbox.Drop, sandbox.EarlyCallback}},
	{weight: 3, text: "x-error500", faults: []sandbox.FaultName{sandbox.Error500}},
	{weight: 2, text: "x-garbage", faults: []sandbox.FaultName{sandbox.Garbage}},
	{weight: 3, text: "x-slow", faults: []sandbox.FaultName{sandbox.Slow}}, // longer than the worker waits
	{weight: 2, text: "x-hang", faults: []sandbox.FaultName{sandbox.Hang}},
	// It does not execute.
	{weight: 2, text: "x-hang-before_1", faults: []sandbox.FaultName{sandbox.HangBefore}},
	{weight: 2, text: "x-refuse503_1", faults: []sandbox.FaultName{sandbox.Refuse503}},
	{weight: 2, text: "x-blackhole_1", faults: []sandbox.FaultName{sandbox.Blackhole}},
	{weight: 4, text: "x-decline", faults: []sandbox.FaultName{sandbox.Decline}},
	{weight: 2, text: "x-channel", faults: []sandbox.FaultName{sandbox.Channel}},
	// Its webhooks come early or twice.
	{weight: 5, text: "x-early-callback", faults: []sandbox.FaultName{sandbox.EarlyCallback}},
	{weight: 5, text: "x-duplicate-callback", faults: []sandbox.FaultName{sandbox.DuplicateCallback}},
	// The money is not as ordered.
	{weight: 1, text: "x-multi", faults: []sandbox.FaultName{sandbox.Multi}, only: trial.TeemoPay, op: payment.Deposit},
	{weight: 1, text: "x-other-amount", faults: []sandbox.FaultName{sandbox.OtherAmount}, only: trial.TeemoPay, op: payment.Deposit},
	{weight: 1, text: "x-refund", faults: []sandbox.FaultName{sandbox.Refund}, only: trial.TeemoPay, op: payment.Payout},
}

// makeOrders returns the orders of a seed: all ways of paying in turn, each with its own amount.
func makeOrders(seed uint64, count int) []*Order {
	random := rand.New(rand.NewPCG(seed, 1))
	variants := trial.Variants()
	orders := make([]*Order, count)
	for i := range orders {
		v := variants[i%len(variants)]
		// A won, or a New Taiwan dollar, more each time: an amount at the wrong order shows.
		step := int64(1)
		if v.Amount.Currency == "TWD" {
			step = 100
		}
		v.Amount.Minor += step * int64(i%5000)
		bad := misfortuneOf(random, v)
		number := fmt.Sprintf("c%05d", i+1)
		if bad.text != "" {
			number += "-" + bad.text
		}
		ref := payment.Ref{Provider: v.Account, Order: number}
		orders[i] = &Order{
			Ref: ref, Operation: v.Operation, Amount: v.Amount, Faults: bad.faults,
			Page: strings.HasPrefix(v.Method, "page"), Command: v.Command(ref), Way: wayOf(random),
		}
	}
	return orders
}

// misfortuneOf draws until it has one that the account can play.
func misfortuneOf(random *rand.Rand, v trial.Variant) misfortune {
	total := 0
	for _, m := range misfortunes {
		total += m.weight
	}
	for {
		at := random.IntN(total)
		for _, m := range misfortunes {
			if at -= m.weight; at >= 0 {
				continue
			}
			if m.only == "" || m.only == v.Account && m.op == v.Operation {
				return m
			}
			break
		}
	}
}

// wayOf sends three of four by HTTP.
func wayOf(random *rand.Rand) Way {
	switch random.IntN(8) {
	case 0:
		return ByNATS
	case 1:
		return ByShort
	}
	return ByHTTP
}
