package events

import _ "embed" // the schemas are files, so that other languages can use them

// The identifiers of the schemas; they are in the dataschema attribute.
const (
	CommandSchemaID       = "urn:payonce:schema:command:v1"
	ClarificationSchemaID = "urn:payonce:schema:clarification:v1"
	PaymentSchemaID       = "urn:payonce:schema:payment:v1"
	ActionSchemaID        = "urn:payonce:schema:action:v1"
	RefusalSchemaID       = "urn:payonce:schema:refusal:v1"
	BalanceSchemaID       = "urn:payonce:schema:balance:v1"
)

// CommandSchema is the JSON Schema (2020-12) of the data of deposit.requested and payout.requested.
//
//go:embed schemas/command.v1.json
var CommandSchema []byte

// ClarificationSchema is the JSON Schema (2020-12) of the data of clarification.requested.
//
//go:embed schemas/clarification.v1.json
var ClarificationSchema []byte

// PaymentSchema is the JSON Schema (2020-12) of the data of every payment.… event.
//
//go:embed schemas/payment.v1.json
var PaymentSchema []byte

// ActionSchema is the JSON Schema (2020-12) of the data of action.stored.
//
//go:embed schemas/action.v1.json
var ActionSchema []byte

// BalanceSchema is the JSON Schema (2020-12) of the data of balance.reported.
//
//go:embed schemas/balance.v1.json
var BalanceSchema []byte

// RefusalSchema is the JSON Schema (2020-12) of the data of command.refused.
//
//go:embed schemas/refusal.v1.json
var RefusalSchema []byte
