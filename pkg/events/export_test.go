package events

// What the tests of the CloudEvents binding need to see.
var (
	PercentEncode   = percentEncode
	PercentDecode   = percentDecode
	ParseAttributes = parseAttributes
)
