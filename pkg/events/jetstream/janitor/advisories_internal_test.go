package janitor

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"payonce/test/jetstreamtest"
)

// An advisory that cannot be read is reported, one of a message that was worked after all is not, and one whose message cannot be
// looked at is an alarm.
func TestAdvisoriesAboutWhatIsNotThere(t *testing.T) {
	server, c := jetstreamtest.Start(t)
	var logs bytes.Buffer
	j := New(c.Conn)
	j.log = slog.New(slog.NewTextHandler(&logs, nil))
	const subject = adviceMaxDeliveries + ".COMMANDS.commands-acme"
	gone := []byte(`{"stream":"COMMANDS","consumer":"commands-acme","stream_seq":999,"deliveries":3}`)
	j.handleAdvisory(t.Context(), &nats.Msg{Subject: subject, Data: []byte("{")})
	if said := logs.String(); !strings.Contains(said, "unreadable advisory") || !strings.Contains(said, subject) {
		t.Errorf("it says %q of what is no JSON", said)
	}
	logs.Reset()
	j.handleAdvisory(t.Context(), &nats.Msg{Subject: subject, Data: gone})
	if logs.Len() > 0 || c.Broker().Count.Undelivered.Load() != 0 {
		t.Errorf("it says %q of a message that was worked", logs.String())
	}
	server.Stop()
	_ = c.Close() // nothing was to be acknowledged
	j.handleAdvisory(t.Context(), &nats.Msg{Subject: subject, Data: gone})
	if said := logs.String(); !strings.Contains(said, "kept=false") || c.Broker().Count.Undelivered.Load() != 1 {
		t.Errorf("it says %q when the message cannot be looked at", said)
	}
}
