package payment

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// same reports whether nothing but the time would change in what is written. It compares the JSON,
// because an observation's times and empty maps differ in memory from those that were read back.
func same(p, next Payment) bool {
	if p.Status != next.Status {
		return false
	}
	next.UpdatedAt = p.UpdatedAt
	if differs(p, next) {
		return false
	}
	if identical(&p, &next) {
		return true
	}
	return p.Action.Same(next.Action) && p.WithheldAction.Same(next.WithheldAction) && sameJSON(p, next)
}

// differs reports whether a field differs that observations change and that is cheap to compare. If one does, so does the JSON.
func differs(p, next Payment) bool {
	return p.NotFound != next.NotFound || p.Submits != next.Submits || p.Attempts != next.Attempts ||
		p.Known != next.Known || p.Refused != next.Refused || p.RetryApproved != next.RetryApproved ||
		p.ProviderReference != next.ProviderReference || p.SettledAmount != next.SettledAmount ||
		len(p.Annotations) != len(next.Annotations) || !sameReason(p.Reason, next.Reason) ||
		!p.OverdueAt.Equal(next.OverdueAt) || !p.NotFoundAt.Equal(next.NotFoundAt) || !p.ResumeAt.Equal(next.ResumeAt)
}

// identical reports whether two payments are the same in memory, so that their JSON is, too. It is much cheaper to find out.
// Times are compared with their zones, and what the customer must do as the same pointer, because nothing changes what it points to.
func identical(p, next *Payment) bool {
	return p.Ref == next.Ref && p.Operation == next.Operation && p.Status == next.Status && p.Revision == next.Revision &&
		sameReason(p.Reason, next.Reason) && p.Amount == next.Amount && p.SettledAmount == next.SettledAmount &&
		slices.Equal(p.Transfers, next.Transfers) && p.Fee == next.Fee && p.ProviderCompletedAt == next.ProviderCompletedAt &&
		slices.Equal(p.Evidence, next.Evidence) && p.ProviderReference == next.ProviderReference && p.Attempts == next.Attempts &&
		p.ResumeAt == next.ResumeAt && p.Action == next.Action && p.WithheldAction == next.WithheldAction &&
		p.PageClosesAt == next.PageClosesAt && p.SubmittedAt == next.SubmittedAt && p.FirstSubmittedAt == next.FirstSubmittedAt &&
		p.Submits == next.Submits && p.RetryApproved == next.RetryApproved && p.Refused == next.Refused &&
		slices.EqualFunc(p.Annotations, next.Annotations, Annotation.identical) && p.Known == next.Known &&
		p.NotFound == next.NotFound && p.NotFoundAt == next.NotFoundAt && p.OverdueAt == next.OverdueAt &&
		p.Fingerprint == next.Fingerprint && p.RequestedAt == next.RequestedAt && p.UpdatedAt == next.UpdatedAt &&
		p.Upstream == next.Upstream && maps.Equal(p.Metadata, next.Metadata)
}

func (a Annotation) identical(b Annotation) bool {
	return a.At == b.At && a.Source == b.Source && a.Kind == b.Kind && sameReason(a.Reason, b.Reason)
}

func sameJSON(a, b any) bool {
	before, err := json.Marshal(a)
	if err != nil {
		return false
	}
	after, err := json.Marshal(b)
	return err == nil && bytes.Equal(before, after)
}
