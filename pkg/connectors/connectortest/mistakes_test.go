package connectortest

// mistake is one way to be careless.
type mistake string

const (
	none               mistake = ""
	anyStatusAccepted  mistake = "treats an unknown status as success"
	anyCodeDeclines    mistake = "treats an unknown code as a decline"
	readsAnything      mistake = "takes any answer with HTTP 200 as success"
	retries            mistake = "tries again inside Submit"
	idempotencyKey     mistake = "sends an Idempotency-Key, with which Go sends a request twice"
	followsRedirects   mistake = "follows redirects"
	signsLess          mistake = "leaves the body out of the signature"
	wrongUnit          mistake = "sends won where the provider takes won × 100"
	headerSpelling     mistake = "spells a header in another way"
	cutsOrders         mistake = "cuts a long order number"
	noLimits           mistake = "does not check the smallest amount"
	timeoutDeclines    mistake = "treats a timeout as a decline"
	resetNotSent       mistake = "treats a reset after the request as not sent"
	serverErrorNotSent mistake = "treats HTTP 5xx as not sent"
	forbiddenDeclines  mistake = "treats HTTP 403 as a decline"
	noRetryAfter       mistake = "does not read Retry-After"
	secondAnswers      mistake = "believes a second answer to another request"
	secondUnknown      mistake = "believes that an order is unknown by a second answer about another one"
	duplicateDeclines  mistake = "treats a refused duplicate as a decline"
	ignoresAmount      mistake = "ignores the echo of the amount"
	ignoresOrder       mistake = "ignores the echo of the order"
	followsDeadline    mistake = "does not respect the deadline"
	unboundedReply     mistake = "reads a reply without a limit"
	plainErrors        mistake = "returns errors that are not classified"
	noEvidence         mistake = "returns errors without evidence"
	leaksSecret        mistake = "writes the secret into an error"
	longTexts          mistake = "passes the provider's text on as it is"
	showsKey           mistake = "keeps the secret as a plain text"
	sharesNonce        mistake = "uses one nonce for all requests"
	leavesGoroutine    mistake = "leaves a goroutine behind"
	readsEnvironment   mistake = "reads the environment"
	readsFiles         mistake = "imports os"
	lookupCreates      mistake = "looks up with a request that creates"
	lookupIgnoresOrder mistake = "looks up and does not read whose answer it is"
	pageMissing        mistake = "treats a page that is missing as an unknown order"
	unknownDeclines    mistake = "treats an unknown order as a decline"
	believesAtOnce     mistake = "believes at once that an order is unknown"
	anyStatusPaid      mistake = "treats an unknown status of a lookup or webhook as paid"
	paidWithoutEcho    mistake = "settles without comparing the amount"
	unsignedWebhooks   mistake = "accepts webhooks without a signature"
	firstSignature     mistake = "takes the first of two signatures"
	firstTime          mistake = "takes the first of two signed headers"
	oneKey             mistake = "forgets the rotated key"
	signatureOfHalf    mistake = "verifies the beginning of the body only"
	comparesPrefix     mistake = "compares only as much of the signature as there is"
	ignoresCase        mistake = "compares the signature without its case"
	anyWebhook         mistake = "does not verify webhooks"
	promisesMore       mistake = "claims an operation that the provider does not have"
	noAccount          mistake = "does not say which account it works with"
	noMerchant         mistake = "does not say which merchant it is at which addresses"
	acceptedIsPaid     mistake = "treats an accepted payment as paid"
	sentIsLink         mistake = "takes a payment that was sent for a page that closes"
	pageCalls          mistake = "makes a request for a page that needs none"
	anyTime            mistake = "does not look at a webhook's time"
)

// mistakes are what each mistake is caught by, among others.
var mistakes = []struct {
	m    mistake
	rule string
}{
	{acceptedIsPaid, "an accepted payment is no more than the documents say"},
	{sentIsLink, "an accepted payment is no more than the documents say"},
	{pageCalls, "a submit without a request makes none"},
	{promisesMore, "the traits are the documents' and are kept"},
	{noAccount, "the traits are the documents' and are kept"},
	{noMerchant, "the traits are the documents' and are kept"},
	{anyWebhook, "a webhook with a foreign key is refused"},
	{anyStatusAccepted, "an undocumented status is in doubt"},
	{anyCodeDeclines, "an undocumented code is in doubt"},
	{readsAnything, "an answer that says nothing is in doubt"},
	{retries, "a connection that breaks after the request is in doubt"},
	{idempotencyKey, "a submit is one request, also on a kept connection that drops"},
	{followsRedirects, "no redirect is followed"},
	{signsLess, "the request is the one of the documents"},
	{wrongUnit, "every amount leaves in the provider's unit, and what is out of its limits does not leave"},
	{headerSpelling, "the request is the one of the documents"},
	{cutsOrders, "the longest order number leaves whole"},
	{noLimits, "every amount leaves in the provider's unit, and what is out of its limits does not leave"},
	{timeoutDeclines, "a deadline or cancel after the request is in doubt"},
	{resetNotSent, "a connection that breaks after the request is in doubt"},
	{serverErrorNotSent, "an HTTP status alone is in doubt unless documented"},
	{forbiddenDeclines, "an HTTP status alone is in doubt unless documented"},
	{noRetryAfter, "both forms of Retry-After are read"},
	{secondAnswers, "a second answer to another request decides nothing"},
	{secondUnknown, "an order is not unknown by a second answer about another one"},
	{duplicateDeclines, "a refused duplicate is in doubt and known"},
	{ignoresAmount, "the echo of another amount is seen"},
	{ignoresOrder, "the echo of another order is in doubt"},
	{followsDeadline, "a deadline or cancel after the request is in doubt"},
	{unboundedReply, "an endless reply is cut and in doubt"},
	{plainErrors, "a connection that breaks after the request is in doubt"},
	{noEvidence, "each documented code means what the documents say"},
	{leaksSecret, "a refused connection is not sent"},
	{longTexts, "the provider's text is kept short and shows no personal data"},
	{showsKey, "no secret is shown"},
	{sharesNonce, "submits at the same time share nothing"},
	{leavesGoroutine, "no goroutine is left"},
	{readsEnvironment, "no environment, file or clock is read"},
	{readsFiles, "no environment, file or clock is read"},
	{lookupCreates, "a lookup reads each documented status and changes nothing"},
	{lookupIgnoresOrder, "a lookup that speaks of another order is an error"},
	{pageMissing, "a lookup that fails at the provider learns nothing"},
	{unknownDeclines, "an unknown order is unknown, and believed only after the settling delay"},
	{believesAtOnce, "an unknown order is unknown, and believed only after the settling delay"},
	{anyStatusPaid, "a webhook with an undocumented status is indeterminate"},
	{paidWithoutEcho, "a webhook with another amount does not settle as ordered"},
	{unsignedWebhooks, "a webhook with a missing, cut or doubled signature is refused"},
	{firstSignature, "a webhook with a missing, cut or doubled signature is refused"},
	{firstTime, "a webhook with a missing, cut or doubled signature is refused"},
	{oneKey, "a signed webhook is let in and means what the documents say"},
	{signatureOfHalf, "a webhook with any bit flipped is refused"},
	{comparesPrefix, "a webhook with a missing, cut or doubled signature is refused"},
	{ignoresCase, "a webhook with any bit flipped is refused"},
	{anyTime, "a webhook's time is judged as the settings say"},
}

// alsoCaught are mistakes that prove the rules which are beside none above.
var alsoCaught = []struct {
	m    mistake
	rule string
}{
	{signsLess, "each request has the time of its own"},
	{anyStatusAccepted, "each documented status means what the documents say"},
	{plainErrors, "a broken TLS handshake is not sent"},
	{plainErrors, "nothing is sent to a server that is not trusted"},
	{plainErrors, "a call whose time is over is not sent"},
	{anyStatusPaid, "a lookup with an undocumented status is indeterminate"},
	{paidWithoutEcho, "a lookup with another amount does not settle"},
	{followsDeadline, "a lookup that fails on the way learns nothing"},
	{signatureOfHalf, "a webhook that comes twice says the same"},
	{comparesPrefix, "a webhook with random changes is refused"},
}
