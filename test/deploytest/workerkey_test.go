package deploytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/payctl"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/test/testenv"
)

// workerTargets are what a worker's key may not do itself and names as where the server's answer goes. In the account of the
// streams the server obeyed: it emptied COMMANDS, deleted streams, and stored a record in AUDIT as kim's.
var workerTargets = []string{
	"$JS.API.STREAM.PURGE.COMMANDS", "$JS.API.STREAM.PURGE.WEBHOOKS", "$JS.API.STREAM.PURGE.DEADLETTERS",
	"$JS.API.STREAM.DELETE.DEADLETTERS", "$JS.API.STREAM.DELETE.INTAKE-game", "$JS.API.STREAM.DELETE.AUDIT", "$JS.API.STREAM.DELETE.PAYMENTS",
	"$JS.API.STREAM.DELETE.AUDIT-COPY", "COPY.STREAM.DELETE.AUDIT-COPY", "$JS.API.STREAM.UPDATE.WEBHOOKS", "$JS.API.STREAM.CREATE.FORGED",
	"$JS.API.CONSUMER.DELETE.PAYMENTS.ledger-accounting", "$JS.API.CONSUMER.PAUSE.PAYMENTS.ledger-accounting", "$JS.API.CONSUMER.DELETE.PAYMENTS.archive",
	"audit.operator-kim.settle.retired-kr.W-1", "operator.settle.retired-kr.W-1", "copy.operator-kim.settle.retired-kr.W-1", "copy.settle.retired-kr.W-1",
}

// workerBodies are what the server is made to send there: what a request of the API can be, and an audit record.
var workerBodies = []string{"", "{}", `{"name":"WEBHOOKS","subjects":["webhook.received.*.*"],"max_msgs":1,"max_consumers":-1,"storage":"file","retention":"limits","num_replicas":1}`}

// stolenWorker tries with a worker's key whatever makes the server send a message to a subject that is named in a message: answers
// to reads, to publishes and to requests of the API, consumers that pull and that push, and schedules.
func stolenWorker(t *testing.T, s *system) {
	t.Helper()
	nc := s.login(t, "worker")
	worker, err := njs.New(nc)
	testenv.Must(t, err)
	publish := func(subject string, body string) uint64 {
		ack, err := worker.Publish(bounded(t), subject, []byte(body))
		if err != nil {
			t.Fatalf("%s: %v", subject, err)
		}
		return ack.Sequence
	}
	publish("webhook.received.retired-kr.W-1", "{}")
	publish("deadletter.commands.retired-kr", "{}")
	publish("deposit.requested.retired-kr.W-1", "{}")
	if _, err := worker.CreateConsumer(bounded(t), events.StreamPayments, njs.ConsumerConfig{Name: "stolen", AckPolicy: njs.AckNonePolicy}); err != nil {
		t.Fatal(err)
	}
	before := s.pictures(t)
	push := 0
	for _, target := range workerTargets {
		for _, body := range workerBodies {
			read := fmt.Sprintf(`{"seq":%d}`, publish("payment.settled.retired-kr.W-1", body))
			for _, ask := range []nats.Msg{
				{Subject: "$JS.API.DIRECT.GET.PAYMENTS", Data: []byte(read)},
				{Subject: "$JS.API.DIRECT.GET.PAYMENTS", Data: []byte(read), Header: nats.Header{"Nats-Request-Info": {`{"acc":"PAYONCE","svc":"PAYONCE"}`}}},
				{Subject: "$JS.API.STREAM.MSG.GET.PAYMENTS", Data: []byte(read)},
				{Subject: "$JS.API.STREAM.INFO.PAYMENTS"},
				{Subject: "payment.settled.retired-kr.W-1", Data: []byte("{}")},
				{Subject: "$JS.API.CONSUMER.MSG.NEXT.PAYMENTS.stolen", Data: []byte(`{"batch":1,"no_wait":true}`)},
			} {
				ask.Reply = target
				testenv.Must(t, nc.PublishMsg(&ask))
			}
		}
		push++
		s.pushed(t, nc, fmt.Sprintf("push-%d", push), target)
		msg := &nats.Msg{Subject: "parked.retired-kr.W-1", Data: []byte("{}"), Header: nats.Header{"Nats-Schedule": {"@every 1s"}, "Nats-Schedule-Target": {target}}}
		if _, err := worker.PublishMsg(bounded(t), msg, njs.WithRetryAttempts(0)); err == nil {
			t.Errorf("a schedule for %s was taken", target)
		}
	}
	// What the server still does for these requests is done before it answers later ones of the same user.
	publish("payment.settled.retired-kr.W-2", "{}")
	if _, err := worker.Stream(bounded(t), events.StreamPayments); err != nil {
		t.Error(err)
	}
	if after := s.pictures(t); !maps.Equal(before, after) {
		for _, name := range slices.Sorted(maps.Keys(before)) {
			if before[name] != after[name] {
				t.Errorf("%s was\n%s\nand is\n%s", name, before[name], after[name])
			}
		}
		if len(after) != len(before) {
			t.Errorf("there were %d streams and consumers, and are %d", len(before), len(after))
		}
	}
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, " copies", "audit", "verify")
}

// pushed makes a consumer that is to send all events to the target. The server may refuse it; what counts is what comes of it.
func (s *system) pushed(t *testing.T, nc *nats.Conn, name, target string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"stream_name": events.StreamPayments, "config": map[string]any{
		"name": name, "deliver_subject": target, "ack_policy": "none", "deliver_policy": "last", "inactive_threshold": int64(3600e9),
	}})
	testenv.Must(t, err)
	if _, err := nc.RequestWithContext(bounded(t), "$JS.API.CONSUMER.CREATE.PAYMENTS."+name, body); err != nil {
		t.Fatal(err)
	}
}

// pictures says of each stream how it is defined and what it holds, as the administrator sees it, and of the consumers of ledger and
// archive since when they exist. The log may only grow.
func (s *system) pictures(t *testing.T) map[string]string {
	t.Helper()
	nc := s.login(t, "administrator")
	defer nc.Close()
	js, err := njs.New(nc)
	testenv.Must(t, err)
	all := map[string]string{}
	for _, name := range []string{
		events.StreamCommands, events.StreamWebhooks, events.StreamPayments, events.StreamDeadLetters, events.StreamAudit,
		events.IntakeStream("shop"), events.IntakeStream("game"), events.IntakeStream(events.IngressIntake), "FORGED",
	} {
		stream, err := js.Stream(bounded(t), name)
		if err != nil {
			all[name] = err.Error()
			continue
		}
		info := stream.CachedInfo()
		config, err := json.Marshal(info.Config)
		testenv.Must(t, err)
		all[name] = fmt.Sprintf("%s since %s", config, info.Created)
		switch name {
		case events.StreamPayments:
			all[name] += fmt.Sprintf(": first %d", info.State.FirstSeq)
		case events.IntakeStream(events.IngressIntake): // a probe of the ingress can come and go at any time
			forged, err := stream.Info(bounded(t), njs.WithSubjectFilter("intake.ingress.*.requested.>"))
			testenv.Must(t, err)
			all[name] += fmt.Sprintf(": %v", forged.State.Subjects)
		default:
			all[name] += fmt.Sprintf(": first %d, %d messages to %d", info.State.FirstSeq, info.State.Msgs, info.State.LastSeq)
		}
	}
	for _, name := range []string{admin.LedgerConsumer(accounting), "archive"} {
		consumer, err := js.Consumer(bounded(t), events.StreamPayments, name)
		if err != nil {
			all[name] = err.Error()
			continue
		}
		all[name] = fmt.Sprintf("since %s, paused %t", consumer.CachedInfo().Created, consumer.CachedInfo().Paused)
	}
	return all
}

// stolenAcks lets every key that may ask the server something name the acknowledgement of another's message as where the answer
// goes. An answer without a body would acknowledge it, and a queue would lose it.
func stolenAcks(t *testing.T, s *system) {
	t.Helper()
	worker := s.jetStream(t, "worker")
	missing := []byte(`{"seq":99999999}`)
	for i, ask := range []struct {
		user, subject string
		body          []byte
	}{
		{"ingress", "$JS.API.DIRECT.GET.PAYMENTS", missing}, {"ingress", "$JS.API.DIRECT.GET.PAYMENTS.payment.no.such.one", nil},
		{"ingress", "webhook.received.retired-kr.X", nil}, {"operator-lee", "$JS.API.DIRECT.GET.PAYMENTS", missing},
		{"operator-lee", "$JS.API.STREAM.MSG.GET.COMMANDS", missing}, {"upstream-shop", "deposit.requested.ecommpay-kr.A-1", nil},
		{"ledger-" + accounting, "PAYONCE.CONSUMER.MSG.NEXT.PAYMENTS." + admin.LedgerConsumer(accounting), []byte(`{"batch":1,"no_wait":true}`)},
		{"administrator", "$JS.API.DIRECT.GET.PAYMENTS", missing}, {"archive", "$JS.API.DIRECT.GET.PAYMENTS", missing},
		{"console", "$JS.API.STREAM.MSG.GET.COMMANDS", missing}, {"viewer", "$JS.API.STREAM.MSG.GET.COMMANDS", missing},
	} {
		subject := fmt.Sprintf("deposit.requested.retired-kr-%d.K-1", i)
		if _, err := worker.Publish(bounded(t), subject, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		consumer, err := worker.CreateConsumer(bounded(t), events.StreamCommands, njs.ConsumerConfig{Name: fmt.Sprintf("victim-%d", i), AckPolicy: njs.AckExplicitPolicy, FilterSubject: subject})
		testenv.Must(t, err)
		var m njs.Msg
		eventually(t, "the worker's server knows the new consumer", func() bool { // in a cluster a moment after it was made
			m, err = consumer.Next()
			return !errors.Is(err, nats.ErrNoResponders)
		})
		testenv.Must(t, err)
		if s.allows(t, ask.user, &nats.Msg{Subject: ask.subject, Reply: m.Reply(), Data: ask.body}) {
			t.Errorf("%s may have the answer to %s acknowledge another's message", ask.user, ask.subject)
		}
		if info, err := consumer.Info(bounded(t)); err != nil || info.NumAckPending != 1 {
			t.Errorf("%s %s: %+v, %v", ask.user, ask.subject, info, err)
		}
	}
	for _, consumer := range []string{"ledger-accounting", "archive"} {
		if s.allows(t, "worker", &nats.Msg{Subject: "$JS.API.DIRECT.GET.PAYMENTS", Reply: "$JS.ACK.PAYMENTS." + consumer + ".1.1.1.1.0", Data: missing}) {
			t.Errorf("a worker may have an answer acknowledge a message of %s", consumer)
		}
	}
}

// emptiedQueue holds what SECURITY.md says is open: the keys of workers and operators can empty a stream with schedules. A test that
// fails here has closed it.
func emptiedQueue(t *testing.T, s *system) {
	t.Helper()
	for _, user := range []string{"worker", "operator-lee"} {
		js := s.jetStream(t, user)
		for i := range 3 {
			if _, err := js.Publish(bounded(t), fmt.Sprintf("deposit.requested.retired-kr.E-%d", i), []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := js.PublishMsg(bounded(t), &nats.Msg{Subject: "deposit.requested.retired-kr.E-9", Header: nats.Header{"Nats-Rollup": {"all"}}}); err != nil {
			t.Errorf("%s cannot empty COMMANDS any more: say so in SECURITY.md (%v)", user, err)
		}
	}
}
