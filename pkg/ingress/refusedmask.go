package ingress

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"payonce/pkg/connectors/masking"
	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// What is kept of headers: names that look like those of formats, and not many.
const (
	maxRefusedHeaders    = 20
	maxRefusedSignatures = 4
	// minSignature is the shortest value of which a digest is kept: a shorter one could be guessed from it.
	minSignature = 32
)

const form = "application/x-www-form-urlencoded"

// mediaTypes are those that are shown; whatever else a caller writes can be anything.
var mediaTypes = []string{"application/json", form, "application/xml", "application/octet-stream", "multipart/form-data", "text/html", "text/plain", "text/xml"}

// masked is the call without anything that could be personal or secret. What cannot be understood is a length and a digest.
func (c refusedCall) masked() events.RefusedWebhook {
	w := c.RefusedWebhook
	w.Reason = masking.Text(w.Reason, payment.Command{})
	w.ContentType = contentType(c.header)
	w.Headers = maskedHeaders(c.header)
	if !c.read {
		return w
	}
	w.BodyBytes, w.BodySHA256 = len(c.body), digest(string(c.body))
	whole := true
	if body, all, ok := masking.Webhook(c.body, w.ContentType == form, events.MaxRefusedBody); ok {
		w.Body, whole = body, all
	}
	w.Truncated = !whole
	return w
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func contentType(header http.Header) string {
	text := header.Get("Content-Type")
	if text == "" {
		return ""
	}
	kind, _, _ := mime.ParseMediaType(text)
	if slices.Contains(mediaTypes, kind) {
		return kind
	}
	return "other"
}

var (
	headerName    = regexp.MustCompile(`^[A-Za-z][A-Za-z-]{0,39}$`)
	signatureName = regexp.MustCompile(`(?i)sign|hmac|digest`)
)

// maskedHeaders says which headers there are and how long they are.
func maskedHeaders(header http.Header) []events.RefusedHeader {
	list, signatures := []events.RefusedHeader{}, 0
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if len(list) == maxRefusedHeaders {
			break
		}
		if !headerName.MatchString(name) {
			continue
		}
		value := strings.Join(header[name], ", ")
		one := events.RefusedHeader{Name: name, Bytes: len(value)}
		if signatureName.MatchString(name) && len(value) >= minSignature && signatures < maxRefusedSignatures {
			one.SHA256 = digest(value)
			signatures++
		}
		list = append(list, one)
	}
	return list
}
