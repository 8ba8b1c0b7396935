package teemopay

import "strings"

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
