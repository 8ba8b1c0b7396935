package main

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

const (
	// answerTimeout bounds one request.
	answerTimeout = 30 * time.Second
	// mostConnections is how many requests can be on their way at the same time.
	mostConnections = 2048
)

// attack sends the targets, which were made before, at a steady rate whatever the answers take, and notes
// every answer.
func attack(ctx context.Context, name, prefix string, targets []vegeta.Target, rate int, length time.Duration) result {
	r := result{name: name, prefix: prefix, statuses: map[int]int{}, accepted: map[string]bool{}}
	var next atomic.Int64
	targeter := func(t *vegeta.Target) error {
		i := int(next.Add(1)) - 1
		if i >= len(targets) {
			return vegeta.ErrNoTargets
		}
		*t = targets[i]
		return nil
	}
	client := &http.Client{Timeout: answerTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: mostConnections, MaxConnsPerHost: mostConnections}}
	defer client.CloseIdleConnections() // they count against what the ingress may have open
	attacker := vegeta.NewAttacker(vegeta.Client(client), vegeta.Workers(64), vegeta.MaxWorkers(mostConnections))
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()
	for answer := range attacker.Attack(targeter, vegeta.Rate{Freq: rate, Per: time.Second}, length, "") {
		if answer.Error == vegeta.ErrNoTargets.Error() {
			continue
		}
		r.metrics.Add(answer)
		r.statuses[int(answer.Code)]++
		if answer.Code >= 200 && answer.Code < 300 {
			r.accepted[orderOf(answer.URL)] = true
		}
	}
	r.metrics.Close()
	return r
}

// The order is in the query, which the ingress does not look at, so that an answer can be distinguished from
// others.
func withOrder(base, order string) string { return base + "?order=" + order }

func orderOf(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		panic("load: a URL that was made here: " + err.Error())
	}
	return u.Query().Get("order")
}
