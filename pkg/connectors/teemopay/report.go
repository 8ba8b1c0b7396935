package teemopay

import (
	"time"

	"payonce/pkg/payment"
)

// fee reads serviceAmount, which comes in parts of a won: "18.02" (korea/payin/callback). None where it is missing; what is no
// amount is noted in the report.
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

// completed reads completeTime, which is in the country's zone (korea/payin/callback), as the latest of the report. What is no
// time is noted there.
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

// reported is what a payout's answer or callback, or the record of a payment, tells of the whole payment.
func (f fields) reported() (r payment.Report) {
	r.Fee = f.fee(&r)
	f.completed(&r)
	return r
}

// ended is what they tell of one that failed: when. A query names a serviceAmount then, too, which is that of the formula beside it; of
// the callbacks it is null.
func (f fields) ended() (r payment.Report) {
	f.completed(&r)
	return r
}
