package jetstream

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"payonce/pkg/events"
)

// HeaderDeadTruncated, on a dead letter of which only a part was kept, is how many bytes the whole message had, headers
// included.
const HeaderDeadTruncated = "Payonce-Dead-Truncated"

// What is kept of a message that is too big to be worked, for a person to see what it was: the first bytes of its body,
// and headers up to maxKeptHeaders of which none has more than maxKeptHeader.
const (
	maxKeptBody    = 16 << 10
	maxKeptHeaders = 16 << 10
	maxKeptHeader  = 1 << 10
)

// kept returns what a dead letter keeps of a message, and the size of the whole if that is more. A command that could have
// been worked is kept whole, so that it can be replayed, and so is a webhook, which its provider signed.
func kept(d *delivery) (header events.Header, body []byte, truncated int) {
	header, body = events.Header(copyHeader(d.message.Header)), d.message.Data
	size := 0
	for name, values := range header {
		size += headerSize(name, values)
	}
	if d.stream == events.StreamWebhooks || len(body) <= events.MaxCommandBytes && size <= maxKeptHeaders {
		return header, body, 0
	}
	whole := size + len(body)
	if size > maxKeptHeaders {
		header = keptHeaders(header)
	}
	return header, body[:min(len(body), maxKeptBody)], whole
}

func headerSize(name string, values []string) int {
	size := 0
	for _, value := range values {
		size += len(name) + len(value) + len(": \r\n")
	}
	return size
}

// keptHeaders leaves out long headers, and those for which there is no room: ours and CloudEvents' come first.
func keptHeaders(header events.Header) events.Header {
	room, found := maxKeptHeaders, events.Header{}
	for _, ours := range []bool{true, false} {
		for _, name := range slices.Sorted(maps.Keys(header)) {
			lower := strings.ToLower(name)
			if ours != (strings.HasPrefix(lower, "payonce-") || strings.HasPrefix(lower, cePrefix)) {
				continue
			}
			if size := headerSize(name, header[name]); size <= min(room, maxKeptHeader) {
				found[name], room = header[name], room-size
			}
		}
	}
	return found
}

// truncatedSize reads [HeaderDeadTruncated]; 0 for a dead letter that is whole.
func truncatedSize(header events.Header) int {
	size, err := strconv.Atoi(header.Get(HeaderDeadTruncated))
	if err != nil {
		return 0
	}
	return size
}
