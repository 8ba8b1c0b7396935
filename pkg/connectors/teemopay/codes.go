package teemopay

import (
	"regexp"
	"strconv"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// codeMeaning is what a code in the answer to a create request means, and who says so.
type codeMeaning struct {
	meaning  connectors.Meaning
	evidence string
}

// Where the codes are. Both create pages call theirs the codes of the check that a request must pass before
// an order is made; the results of an order come with code 200 and a status instead.
const (
	depositPage = "pay-in page (codes of the check): "
	payoutPage  = "docs.teemopay.com zh/korea/payout/create (codes): "
	createPages = "pay-in and payout pages (codes of the check): "
	queryPages  = "docs.teemopay.com korea queries (codes): "
	otherPages  = "docs.teemopay.com, pages of other countries (codes): "
)

// What the codes mean that several requests have.
const (
	tryLater    = "asks to try again later and does not say that nothing was made"
	business    = "an error of the business logic, with no word about what was done"
	duplicateIs = "the order number exists already, so look it up and adopt it"
	noCallback  = "there is no callback address, which is set in our configuration or the dashboard"
	jointCheck  = "the merchant's configuration failed its check, and the provider is to be asked"
)

// codes are all documented codes of the create requests, without [codeParameter]. What is missing here is in
// doubt.
var codes = map[payment.Operation]map[int]codeMeaning{
	payment.Deposit: {
		412: {connectors.MeansInDoubt, depositPage + tryLater},
		423: {connectors.MeansMisconfigured, depositPage + "the payment method is not open for us, and the provider is to be asked to configure it"},
		426: {connectors.MeansDuplicate, depositPage + duplicateIs},
		427: {connectors.MeansMisconfigured, depositPage + noCallback},
		466: {connectors.MeansMisconfigured, depositPage + "the fee of the payment method is not configured, and the provider is to be asked"},
		473: {connectors.MeansMisconfigured, depositPage + jointCheck},
		500: {connectors.MeansInDoubt, depositPage + business},
	},
	payment.Payout: {
		412: {connectors.MeansInDoubt, payoutPage + tryLater},
		417: {connectors.MeansMisconfigured, payoutPage + "the merchant's account was not found"},
		421: {connectors.MeansMisconfigured, otherPages + "the payout method is not open for us"},
		425: {connectors.MeansLowBalance, payoutPage + "the merchant's balance does not allow the payout, so none was made"},
		426: {connectors.MeansDuplicate, payoutPage + duplicateIs},
		427: {connectors.MeansMisconfigured, payoutPage + noCallback},
		430: {connectors.MeansRejected, payoutPage + "the length of the account number is wrong"},
		431: {connectors.MeansRejected, payoutPage + "the bank code is not supported"},
		432: {connectors.MeansRejected, payoutPage + "account, bank and method do not fit"},
		455: {connectors.MeansRejected, payoutPage + "the account type is wrong"},
		462: {connectors.MeansRejected, payoutPage + "a blacklist stopped the request"},
		473: {connectors.MeansMisconfigured, payoutPage + jointCheck},
		475: {connectors.MeansRejected, payoutPage + "the identity type is wrong"},
		500: {connectors.MeansInDoubt, payoutPage + business},
	},
}

// accountCodes are codes that the create pages of Korea do not have and other pages of the same gateway do. They
// are about the application or account that a request is made with, or about a channel that the account does not have,
// and never of one payment, so they mean the same for each request.
var accountCodes = map[int]codeMeaning{
	416: {connectors.MeansMisconfigured, queryPages + "the application of the header app_code was not found"},
	417: {connectors.MeansMisconfigured, queryPages + "the merchant's account was not found"},
	418: {connectors.MeansMisconfigured, queryPages + "the merchant's account is closed"},
	424: {connectors.MeansMisconfigured, otherPages + "the channel is not configured for us"},
	460: {connectors.MeansMisconfigured, otherPages + "the method is not available to us"},
	465: {connectors.MeansMisconfigured, otherPages + "the channel is not supported for us"},
}

// codeParameter says that a parameter is to be changed; which one is in the text.
const codeParameter = 414

// meaningOf returns what a code other than 200 means. The account's settings come first.
func (c *Connector) meaningOf(cmd payment.Command, env envelope) codeMeaning {
	if m, ok := c.settings.Codes[strconv.Itoa(env.code)]; ok {
		return codeMeaning{m, "the account's settings (codes)"}
	}
	if env.code == codeParameter {
		return parameterMeaning(env.message, cmd)
	}
	if m, ok := codes[cmd.Operation][env.code]; ok {
		return m
	}
	if m, ok := accountCodes[env.code]; ok {
		return m
	}
	return codeMeaning{connectors.MeansInDoubt, "no page documents this code for this request"}
}

var codePattern = regexp.MustCompile(`^[1-9][0-9]{0,5}$`)

// validCode reports whether a text of the settings is an error code.
func validCode(text string) bool {
	return codePattern.MatchString(text) && text != strconv.Itoa(codeProcessed)
}
