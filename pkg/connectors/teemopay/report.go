package teemopay

import (
	"time"

	"payonce/pkg/payment"
)

// fee reads serviceAmount, which has parts of a won: "18.02" (korea/payin/callback). It is zero where it is missing; one that is
// not an amount is noted in the report.
func (f fields) fee(r *payment.Report) payment.Fee {
	const name = "serviceAmount"
	text, told := f[name]
	if !told {
		return payment.Fee{}
	}
	fee, err := payment.ParseFee(text, "KRW")
	if err != nil {
		r.Unread = append(r.Unread, payment.UnreadFee(name))
	}
	return fee
}

// completed reads completeTime, which is in the country's zone (korea/payin/callback), and keeps the latest in the report. One
// that is not a time is noted there.
func (f fields) completed(r *payment.Report) {
	const name = "completeTime"
	if f[name] == "" {
		return
	}
	at, err := time.ParseInLocation(time.DateTime, f[name], korea)
	if err != nil || !at.After(time.Time{}) {
		r.Unread = append(r.Unread, payment.UnreadTime(name))
	} else if at.After(r.CompletedAt) {
		r.CompletedAt = at
	}
}

// named notes in the report that the platform's number of the order was told and cannot be kept.
func (f fields) named(r *payment.Report) {
	if f[tradeNo] != "" && f.reference() == "" {
		r.Unread = append(r.Unread, payment.UnreadReference(tradeNo))
	}
}

// reported is what a payout's answer or callback, or the record of a payment, tells of the whole payment.
func (f fields) reported() (r payment.Report) {
	r.Fee = f.fee(&r)
	f.completed(&r)
	f.named(&r)
	return r
}

// ended is what they tell of a payment that failed: when. A query has a serviceAmount then, too, that of the formula beside it; in
// callbacks it is null.
func (f fields) ended() (r payment.Report) {
	f.completed(&r)
	f.named(&r)
	return r
}
