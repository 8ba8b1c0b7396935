package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"payonce/test/testenv"
)

// What a sender without a key sends: so many calls a second over so many connections, each as large as one name of
// this many bytes around a list of as many items makes it. Before it was bounded, one of them cost seconds and
// gigabytes.
const (
	forgedRate        = 200
	forgedConnections = 50
	forgedSize        = 39 << 10
)

// forged sends signed webhooks at a tenth of the rate, while another client sends forged ones. The table has the signed
// ones.
func (p plan) forged(ctx context.Context, s *system) result {
	length, rate := min(p.duration, 10*time.Second), max(p.rate/10, 1)
	calls := s.webhooks("H-", int(float64(rate)*length.Seconds()))
	refused := make(chan map[int]int, 1)
	go func() { refused <- s.forge(ctx, length) }()
	r := attack(ctx, fmt.Sprintf("beside %d forged a second", forgedRate), "H-", calls, rate, length)
	r.forged = <-refused
	return s.finish(ctx, r, webhookStream)
}

// forge sends forged webhooks and returns how often which status was answered.
func (s *system) forge(ctx context.Context, length time.Duration) map[int]int {
	body := bytes.Join([][]byte{
		[]byte(`{"` + strings.Repeat("n", forgedSize/2) + `":[`), bytes.TrimSuffix(bytes.Repeat([]byte("1,"), forgedSize/4), []byte(",")), []byte(`],"signature":"x"}`),
	}, nil)
	target := vegeta.Target{Method: http.MethodPost, URL: s.url + "/webhooks/" + testenv.ECommPay, Body: body, Header: http.Header{"Content-Type": {"application/json"}}}
	client := &http.Client{Timeout: answerTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: forgedConnections, MaxConnsPerHost: forgedConnections}}
	defer client.CloseIdleConnections()
	attacker := vegeta.NewAttacker(vegeta.Client(client), vegeta.Workers(forgedConnections), vegeta.MaxWorkers(forgedConnections))
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()
	statuses := map[int]int{}
	for answer := range attacker.Attack(vegeta.NewStaticTargeter(target), vegeta.Rate{Freq: forgedRate, Per: time.Second}, length, "") {
		statuses[int(answer.Code)]++
	}
	return statuses
}
