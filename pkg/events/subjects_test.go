package events_test

import (
	"testing"

	"payonce/pkg/events"
	"payonce/test/alloctest"
)

// Every message is asked for its payment, several times.
func TestSubjectsAreReadWithoutAllocations(t *testing.T) {
	subjects := []string{
		"payment.settled.teemopay-kr.D-1", "parked.teemopay-kr.D-1", "deposit.requested.teemopay-kr.D-1", "deposit.requested", "webhook.waiting.teemopay-kr.D-1.x",
	}
	alloctest.None(t, func() {
		for _, subject := range subjects {
			events.SubjectRef(subject)
			events.SubjectStatus(subject)
		}
	})
}
