package teemopay

import (
	"strconv"
	"strings"
)

// statusFailed is the status of an order that failed.
const statusFailed = "3"

// channelMessages are the documented beginnings of what a channel says about an order that failed (pay-in page,
// errors of the channel), and the name of each for operators, who count and filter by it.
var channelMessages = []struct{ begins, name string }{
	{"transaction amount exceeds limit", "amount_limit"},
	{"channel request error", "channel_error"},
	{"unstable network", "unstable_network"},
	{"parameter validation error", "invalid_parameter"},
}

// failureCode reports whether a payout's errorCode is one of those that the pages list for failures: 1000 to 1016
// and 9999, or an object or a list, which no page has. Any other beside a success says nothing.
func failureCode(code string) bool {
	n, err := strconv.Atoi(code)
	return strings.HasPrefix(code, "{") || strings.HasPrefix(code, "[") || err == nil && (n >= 1000 && n <= 1016 || n == 9999)
}

// failedCode is the provider code of an order that failed: its status, and what the channel said where the page
// has its text. The status alone says that it failed; the text is free and decides nothing.
func failedCode(message string) string {
	message = strings.ToLower(strings.TrimSpace(message))
	for _, known := range channelMessages {
		if strings.HasPrefix(message, known.begins) {
			return statusFailed + "/" + known.name
		}
	}
	return statusFailed
}
