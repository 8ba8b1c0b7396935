package events

// What the tests of the CloudEvents binding and of the JSON of payments need to see.
var (
	AppendData      = appendData
	PercentEncode   = percentEncode
	PercentDecode   = percentDecode
	ParseAttributes = parseAttributes
)
