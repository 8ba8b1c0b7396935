package campaign

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/test/testenv"
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
	// Again is what is sent under its number once it is in the log, and AgainBy how. Other is the JSON of
	// another command: the same with another amount.
	Again   Again
	AgainBy Way
	Other   string
	// Accepted is true once payonce has said that it has the order.
	Accepted bool
}

// Again is what comes in under the number of an order that payonce has.
type Again string

// What can come.
const (
	NotAgain     Again = ""
	SameCommand  Again = "same"
	OtherCommand Again = "other"
)

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
	// able, if set, says which ways of paying can play it.
	able func(testenv.Variant) bool
}

// misfortunes of orders, by weight. Each has a known right end, and most of them settle.
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
	// Its webhooks come early, twice, or never.
	{weight: 5, text: "x-early-callback", faults: []sandbox.FaultName{sandbox.EarlyCallback}},
	{weight: 5, text: "x-duplicate-callback", faults: []sandbox.FaultName{sandbox.DuplicateCallback}},
	{weight: 5, text: "x-lost-callback", faults: []sandbox.FaultName{sandbox.LostCallback}, able: notByPage},
	{weight: 1, text: "x-drop-x-lost-callback", faults: []sandbox.FaultName{sandbox.Drop, sandbox.LostCallback}, able: notByPage},
	{weight: 1, text: "x-decline-x-lost-callback", faults: []sandbox.FaultName{sandbox.Decline, sandbox.LostCallback}, able: isPayout},
	// The provider wants to know more.
	{weight: 90, text: "x-clarification", faults: []sandbox.FaultName{sandbox.Clarification}, able: asksForMore},
	// The money is not as ordered, or is reversed.
	{weight: 2, text: "x-multi", faults: []sandbox.FaultName{sandbox.Multi}, able: isTeemoPayDeposit},
	{weight: 2, text: "x-other-amount", faults: []sandbox.FaultName{sandbox.OtherAmount}, able: isTeemoPayDeposit},
	{weight: 14, text: "x-refund", faults: []sandbox.FaultName{sandbox.Refund}, able: canBeReversal},
}

// notByPage leaves out payment pages. A customer can open one after the last look-up; if no webhook comes then,
// no worker knows of it until the page is over, which no run waits for.
func notByPage(v testenv.Variant) bool { return !strings.HasPrefix(v.Method, "page") }

func isPayout(v testenv.Variant) bool { return v.Operation == payment.Payout }

func isTeemoPayDeposit(v testenv.Variant) bool {
	return v.Account == testenv.TeemoPay && v.Operation == payment.Deposit
}

// asksForMore reports whether the provider can ask for a clarification: ECommPay does, of purchases by Gate.
func asksForMore(v testenv.Variant) bool { return v.Method == "gate" || v.Method == "gate_redirect" }

// canBeReversal reports whether the provider reports payments that were reversed.
func canBeReversal(v testenv.Variant) bool {
	return v.Account == testenv.TeemoPay && v.Operation == payment.Payout || v.Account == testenv.ECommPay || v.Account == testenv.ECommPayRedirect
}

// makeOrders returns the orders of a seed: all ways of paying in turn, each with its own amount.
func makeOrders(seed uint64, count int) []*Order {
	random := rand.New(rand.NewPCG(seed, 1))
	variants := testenv.Variants()
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
		orders[i].Again, orders[i].AgainBy = againOf(random)
		v.Amount.Minor += 5000 * step // as no other order of this way of paying has
		orders[i].Other = v.Command(ref)
	}
	return orders
}

// misfortuneOf draws one of those that the way of paying can play.
func misfortuneOf(random *rand.Rand, v testenv.Variant) misfortune {
	total := 0
	for _, m := range misfortunes {
		if m.able == nil || m.able(v) {
			total += m.weight
		}
	}
	at := random.IntN(total)
	for _, m := range misfortunes {
		if m.able != nil && !m.able(v) {
			continue
		}
		if at -= m.weight; at < 0 {
			return m
		}
	}
	panic("campaign: the weights do not add up")
}

// againOf lets one order of eight come in once more, half of them with another amount.
func againOf(random *rand.Rand) (Again, Way) {
	way := []Way{ByHTTP, ByNATS}[random.IntN(2)]
	switch random.IntN(16) {
	case 0:
		return SameCommand, way
	case 1:
		return OtherCommand, way
	}
	return NotAgain, ""
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
