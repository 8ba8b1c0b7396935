package events

import (
	"strings"

	"payonce/pkg/payment"
)

// HeaderUpstream says for which upstream a command or a clarification was published: the ingress writes it, and for what an
// upstream publishes by NATS the worker that takes it out of the upstream's stream. A body cannot say it.
const HeaderUpstream = "Payonce-Upstream"

// upstreamOf returns the upstream that a message was published for; empty for none.
func upstreamOf(m Message) string {
	if name := m.Header.Get(HeaderUpstream); payment.ValidUpstream(name) {
		return name
	}
	return ""
}

// withUpstream adds the upstream to the header of a message.
func withUpstream(h Header, upstream string) Header {
	if upstream != "" {
		h.Set(HeaderUpstream, upstream)
	}
	return h
}

// TakeIntake returns the subject that a message was published to, and the header with the upstream by which it was, if the
// subject is one of [IntakeSubject]: what the upstream itself wrote there is not believed. An ingress publishes for upstreams
// whose keys it has checked, and says for which.
func TakeIntake(subject string, header Header) (string, Header) {
	published, ok := CutIntake(subject)
	if !ok {
		return subject, header
	}
	if upstream := strings.SplitN(subject, ".", 3)[1]; upstream != IngressIntake {
		if header == nil {
			header = Header{}
		}
		header.Set(HeaderUpstream, upstream)
	}
	return published, header
}
