package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	goredis "github.com/redis/go-redis/v9"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/idempotency"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/payment"
	"payonce/test/bench/baseline"
	"payonce/test/testenv"
)

// keptAtOnce is how many kept payments are under way at the same time.
const keptAtOnce = 5000

// keep makes settled payments: one as workers write it, and copies of its events and of its claim under other order numbers. The
// broker has forgotten the ids of the copies' events, as it forgets each id after two minutes.
func (s *system) keep(progress io.Writer) {
	if s.kept == 0 {
		return
	}
	client := s.redisClient()
	defer func() { _ = client.Close() }()
	_, err := s.settle(redis.New(client, redis.Options{}), keptOrder(0))
	testenv.Must(s.t, err)
	log, err := s.js.Stream(s.t.Context(), events.StreamPayments)
	testenv.Must(s.t, err)
	var original []*njs.RawStreamMsg
	for seq := range log.CachedInfo().State.LastSeq {
		event, err := log.GetMsg(s.t.Context(), seq+1)
		testenv.Must(s.t, err)
		original = append(original, event)
	}
	claims := s.readClaim(client, keptOrder(0))
	say := counting(progress, "kept", s.kept)
	for from := 1; from < s.kept; from += keptAtOnce {
		to := min(from+keptAtOnce, s.kept)
		s.copyEvents(original, from, to)
		testenv.Must(s.t, claims.copy(s.t.Context(), from, to))
		say(to)
	}
	if n := s.stored(); n != s.kept*len(original) {
		s.t.Fatalf("the log has %d events of %d kept payments", n, s.kept)
	}
}

func keptOrder(i int) string { return fmt.Sprintf("K%08d", i) }

// copyEvents appends the events of the payments from one number to before another: the first event of each, then the second, as of
// payments that are under way at the same time. Each is appended if the one before it is the last of its order: the broker checks that as
// for a worker, and as no program else writes now, sequences are known before.
func (s *system) copyEvents(original []*njs.RawStreamMsg, from, to int) {
	for i, event := range original {
		for number := from; number < to; number++ {
			previous := 0
			if i > 0 {
				previous = from*len(original) + (i-1)*(to-from) + number - from + 1
			}
			msg := copyOf(event, keptOrder(0), keptOrder(number))
			msg.Header.Set("ce-id", uuid.NewString())
			msg.Header.Set(jetstream.HeaderPrevious, strconv.Itoa(previous))
			msg.Header.Set(njs.ExpectedLastSubjSeqHeader, strconv.Itoa(previous))
			msg.Header.Set(njs.ExpectedLastSubjSeqSubjHeader, events.PaymentFilter(payment.Ref{Provider: baseline.Provider, Order: keptOrder(number)}))
			_, err := s.js.PublishMsgAsync(msg, patiently...)
			testenv.Must(s.t, err)
		}
		s.end() // a cluster refuses an event of an order while another one is on its way
	}
}

// notCopied are headers of an event that the broker has forgotten after two minutes, or that it adds to what it shows.
var notCopied = []string{njs.MsgIDHeader, njs.StreamHeader, njs.SequenceHeader, njs.SubjectHeader, njs.TimeStampHeaer, njs.LastSequenceHeader}

// copyOf returns a stored message with another order in place of its own, wherever it stands.
func copyOf(m *njs.RawStreamMsg, of, order string) *nats.Msg {
	msg := &nats.Msg{Subject: strings.ReplaceAll(m.Subject, of, order), Header: make(nats.Header, len(m.Header)), Data: []byte(strings.ReplaceAll(string(m.Data), of, order))}
	for name, values := range m.Header {
		if slices.Contains(notCopied, name) {
			continue
		}
		for _, value := range values {
			msg.Header.Add(name, strings.ReplaceAll(value, of, order))
		}
	}
	return msg
}

// claimCopier copies the record of one order's claim, whatever is in it.
type claimCopier struct {
	client     goredis.UniversalClient
	key, order string
	record     string
	life       time.Duration
}

func (s *system) redisClient() goredis.UniversalClient {
	client, err := redis.NewClient(redis.Config{Addresses: []string{s.redis.Addr()}})
	testenv.Must(s.t, err)
	return client
}

func (s *system) readClaim(client goredis.UniversalClient, order string) claimCopier {
	ctx := s.t.Context()
	keys, err := client.Keys(ctx, "*"+order+"*").Result()
	testenv.Must(s.t, err)
	if len(keys) != 1 {
		s.t.Fatalf("%d keys of %s, want its claim", len(keys), order)
	}
	c := claimCopier{client: client, key: keys[0], order: order}
	c.record, err = client.Dump(ctx, c.key).Result()
	testenv.Must(s.t, err)
	c.life, err = client.PTTL(ctx, c.key).Result()
	testenv.Must(s.t, err)
	return c
}

// copy makes the claims of kept payments from one number to before another.
func (c claimCopier) copy(ctx context.Context, from, to int) error {
	_, err := c.client.Pipelined(ctx, func(pipe goredis.Pipeliner) error {
		for i := from; i < to; i++ {
			pipe.Restore(ctx, strings.ReplaceAll(c.key, c.order, keptOrder(i)), c.life, c.record)
		}
		return nil
	})
	return err
}

// settle writes what workers write for a deposit that settles: claim, events, link.
func (s *system) settle(claims idempotency.Store, order string) (p payment.Payment, err error) {
	ctx, now, cmd := s.t.Context(), time.Now().UTC(), deposit(order)
	cmd.Upstream, cmd.RequestedAt, cmd.Metadata = "shop", now, map[string]string{"cart": order}
	claim, err := claims.Claim(ctx, cmd.Ref, idempotency.Request{Owner: uuid.NewString(), Lease: time.Minute, Retention: 400 * 24 * time.Hour})
	if err != nil {
		return p, err
	}
	p, seq := payment.New(cmd), uint64(0)
	for _, o := range []payment.Observation{
		{Kind: payment.Intend, Source: payment.FromWorker},
		{Kind: payment.Accepted, Source: payment.FromSubmit, Reference: "P" + order, Action: &payment.Action{
			Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: http.MethodGet, URL: "https://pay.example.com/cashier/" + uuid.NewString()},
		}},
		{Kind: payment.Paid, Source: payment.FromWebhook, Reference: "P" + order, Amount: cmd.Amount},
	} {
		o.Attempt = p.Attempts
		if p, _, err = payment.Decide(p, o, now); err != nil {
			return p, fmt.Errorf("%s: %w", o.Kind, err)
		}
		if seq, err = s.conn.Append(ctx, p, seq); err != nil {
			return p, err
		}
	}
	return p, claims.Release(ctx, cmd.Ref, claim.Held)
}
