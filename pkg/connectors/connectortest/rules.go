package connectortest

// requests concerns variants whose Submit makes a request.
func requests(h Harness) bool { return !h.Submit.Silent }

// quiet concerns variants whose Submit makes none.
func quiet(h Harness) bool { return h.Submit.Silent }

// rules are what every connector does.
var rules = []rule{
	{"the request is the one of the documents", nil, exampleOnTheWire},
	{"every amount leaves in the provider's unit, and what is out of its limits does not leave", nil, amountsOnTheWire},
	{"the longest order number leaves whole", nil, longestOrder},
	{"submits at the same time share nothing", nil, atOnce},
	{"each request has the time of its own", nil, later},
	{"a submit without a request makes none", quiet, silent},

	{"an accepted payment is no more than the documents say", requests, accepts},
	{"each documented code means what the documents say", has("Submit.Code"), codes},
	{"an undocumented code is in doubt", has("Submit.Code"), unknownCodes},
	{"each documented status means what the documents say", has("Submit.Status"), statuses},
	{"an undocumented status is in doubt", has("Submit.Status"), unknownStatuses},
	{"a refused duplicate is in doubt and known", has("Submit.Duplicate"), duplicate},
	{"the echo of another amount is seen", has("Submit.AmountEcho"), amountEcho},
	{"the echo of another order is in doubt", has("Submit.OrderEcho"), orderEcho},
	{"the provider's text is kept short and shows no personal data", has("Submit.Refusal"), freeText},
	{"an answer that says nothing is in doubt", requests, noAnswers},
	{"an HTTP status alone is in doubt unless documented", requests, httpStatuses},
	{"both forms of Retry-After are read", requests, retryAfter},

	{"a refused connection is not sent", requests, refused},
	{"a broken TLS handshake is not sent", requests, handshakeBroken},
	{"nothing is sent to a server that is not trusted", requests, trust},
	{"a connection that breaks after the request is in doubt", requests, brokenConnections},
	{"a deadline or cancel after the request is in doubt", requests, timeouts},
	{"a call whose time is over is not sent", requests, cancelledBefore},
	{"a submit is one request, also on a kept connection that drops", requests, dropped},
	{"a second answer to another request decides nothing", requests, secondSubmit},
	{"no redirect is followed", requests, redirects},
	{"an endless reply is cut and in doubt", requests, endless},

	{"a lookup reads each documented status and changes nothing", nil, foundStatuses},
	{"a lookup with an undocumented status is indeterminate", nil, foundUnknownStatuses},
	{"a lookup with another amount does not settle", nil, foundAmount},
	{"a lookup that speaks of another order is an error", has("Lookup.OrderEcho"), foundOrder},
	{"an unknown order is unknown, and believed only after the settling delay", has("Lookup.Unknown"), unknown},
	{"an order is not unknown by a second answer about another one", has("Lookup.Unknown"), secondLookup},
	{"a lookup that fails at the provider learns nothing", nil, lookupErrors},
	{"a lookup that fails on the way learns nothing", nil, lookupFaults},

	{"a signed webhook is let in and means what the documents say", nil, calls},
	{"a webhook with an undocumented status is indeterminate", nil, callsUnknownStatus},
	{"a webhook with another amount does not settle as ordered", nil, callsAmount},
	{"a webhook that comes twice says the same", nil, callsTwice},
	{"a webhook with a foreign key is refused", nil, callsForeignKey},
	{"a webhook with a missing, cut or doubled signature is refused", nil, callsWithoutSignature},
	{"a webhook's time is judged as the settings say", nil, callsTime},
	{"a webhook with any bit flipped is refused", nil, everyBit},
	{"a webhook with random changes is refused", nil, randomChanges},

	{"the traits are the documents' and are kept", nil, traits},
	{"no secret is shown", nil, secrets},
	{"no goroutine is left", nil, goroutines},
	{"no environment, file or clock is read", nil, environment},
}
