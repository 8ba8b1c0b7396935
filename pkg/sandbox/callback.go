package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Retry says how often and when a callback that was not acknowledged is sent again. The zero Retry
// takes the defaults: 20 attempts, 1 s after the first, each wait twice the one before, at most 1 min.
type Retry struct {
	First    time.Duration
	Factor   float64
	Max      time.Duration
	Attempts int
	// Waits are the waits one by one. They replace all the above: there is one attempt more than waits.
	Waits []time.Duration
}

// The bounds of a retry.
const (
	defaultRetryFirst    = time.Second
	defaultRetryFactor   = 2
	defaultRetryMax      = time.Minute
	defaultRetryAttempts = 20
)

func (r Retry) validate() error {
	if len(r.Waits) >= MaxKept/2 || slices.ContainsFunc(r.Waits, func(w time.Duration) bool { return w < 0 }) || r.First < 0 || r.Max < 0 || r.Attempts < 0 || r.Attempts > MaxKept/2 || r.Factor != 0 && r.Factor < 1 {
		return fmt.Errorf("retry: times must not be negative, the factor at least 1, attempts at most %d", MaxKept/2)
	}
	return nil
}

// attempts is how often a callback is sent at most.
func (r Retry) attempts() int {
	if len(r.Waits) > 0 {
		return len(r.Waits) + 1
	}
	if r.Attempts == 0 {
		return defaultRetryAttempts
	}
	return r.Attempts
}

// wait is the time after attempt n, counted from 1.
func (r Retry) wait(n int) time.Duration {
	if len(r.Waits) > 0 {
		return r.Waits[min(n, len(r.Waits))-1]
	}
	wait, factor, most := r.First, r.Factor, r.Max
	if wait == 0 {
		wait = defaultRetryFirst
	}
	if factor == 0 {
		factor = defaultRetryFactor
	}
	if most == 0 {
		most = max(defaultRetryMax, wait)
	}
	for ; n > 1 && wait < most; n-- {
		wait = time.Duration(float64(wait) * factor)
	}
	return min(wait, most)
}

// callbackClient sends to the given address only: no proxy, no redirect.
func callbackClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// delivering is one callback on its way.
type delivering struct {
	account  *Account
	record   *record
	index    int // in record.Callbacks
	notice   Notice
	repeats  int // how many acknowledged deliveries end it
	answered chan struct{}
	once     sync.Once
}

// notify writes a callback down and begins to send it. The channel is closed when its first delivery was
// answered, or will never be. mu is held.
func (d *Account) notify(at chargeAt, state State, m Movement) <-chan struct{} {
	r, charge := at.record, *at.charge()
	notice := Notice{
		Order: r.Order.Order, Charge: charge, State: state, Movement: m, Received: at.view(0).Received(),
	}
	if p, ok := d.config.Protocol.(Selective); ok && !p.Tells(notice) {
		return closedChannel()
	}
	notice.Echo = r.echo(charge.Amount)
	callback := Callback{Charge: charge.Reference, Movement: m.Reference, State: state, Stage: charge.Stage}
	_, lost := r.switches.take(LostCallback)
	callback.Lost = lost || charge.CallbackURL == ""
	r.Callbacks = append(r.Callbacks, callback)
	r.tell()
	job := &delivering{
		account: d, record: r, index: len(r.Callbacks) - 1, repeats: 1, answered: make(chan struct{}), notice: notice,
	}
	if callback.Lost {
		close(job.answered)
		return job.answered
	}
	if _, ok := r.switches.take(DuplicateCallback); ok {
		job.repeats = 2
	}
	d.send(job)
	return job.answered
}

// send begins to send a callback, unless the sandbox is closed.
func (d *Account) send(job *delivering) {
	if !d.box.begin() {
		close(job.answered)
		return
	}
	go func() {
		defer d.box.running.Done()
		defer job.once.Do(func() { close(job.answered) })
		for range job.repeats {
			if !job.untilAcknowledged() {
				return
			}
		}
	}()
}

func closedChannel() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// untilAcknowledged sends the callback until the merchant takes it or the attempts are used up.
func (j *delivering) untilAcknowledged() bool {
	retry := j.account.config.Retry
	for n := 1; ; n++ {
		delivery, acknowledged := j.deliver()
		if j.account.box.ctx.Err() != nil {
			return false
		}
		abandoned := !acknowledged && n == retry.attempts()
		j.write(delivery, acknowledged, abandoned)
		j.once.Do(func() { close(j.answered) })
		if acknowledged || abandoned {
			return acknowledged
		}
		if j.account.box.options.Wait(j.account.box.ctx, retry.wait(n)) != nil {
			return false
		}
	}
}

// write adds a delivery to the truth.
func (j *delivering) write(delivery Delivery, acknowledged, abandoned bool) {
	j.account.mu.Lock()
	defer j.account.mu.Unlock()
	callback := &j.record.Callbacks[j.index]
	callback.Deliveries = append(callback.Deliveries, delivery)
	if acknowledged {
		callback.Acknowledged++
	}
	callback.Abandoned = abandoned
	j.record.tell()
}

const (
	maxAnswer     = 4 << 10 // what is read of the merchant's answer
	maxAnswerKept = 128     // what is kept of it
)

// deliver sends the callback once, when the provider is open and there is a free slot.
func (j *delivering) deliver() (Delivery, bool) {
	box := j.account.box
	if j.account.untilOpen() != nil {
		return Delivery{}, false
	}
	select {
	case box.slots <- struct{}{}:
		defer func() { <-box.slots }()
	case <-box.ctx.Done():
		return Delivery{}, false
	}
	now := j.account.Now()
	call, err := j.account.config.Protocol.Callback(j.notice, now)
	if err != nil {
		return Delivery{At: now, Error: err.Error()}, false
	}
	status, body, err := j.post(call)
	delivery := Delivery{At: now, Status: status, Answer: string(body[:min(len(body), maxAnswerKept)])}
	if err != nil {
		delivery.Error = err.Error()
		return delivery, false
	}
	return delivery, call.Acknowledged(status, body)
}

func (j *delivering) post(call Call) (int, []byte, error) {
	request, err := http.NewRequestWithContext(j.account.box.ctx, http.MethodPost, j.notice.Charge.CallbackURL, bytes.NewReader(call.Body))
	if err != nil {
		return 0, nil, err
	}
	request.Header = call.Header
	response, err := j.account.box.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return response.StatusCode, body, errors.Join(err, response.Body.Close())
}
