package deploytest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"payonce/internal/payctl"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

// large is a payment above the limit, which no worker works on.
var large = payment.Ref{Provider: "retired-kr", Order: "AP-1"}

// secondPerson tries approvals where the server says who is who: the requester cannot approve, under any name, and the other
// operator can.
func secondPerson(t *testing.T, s *system) {
	t.Helper()
	for _, user := range []string{"operator-kim", "operator-lee"} {
		path := filepath.Join(s.Dir, user+".yaml")
		text, err := os.ReadFile(path)
		testenv.Must(t, err)
		testenv.Must(t, os.WriteFile(path, append(text, "\napprovals: {above: [1000000 KRW]}\n"...), 0o600))
	}
	s.inDoubt(t, large, payment.KRW(5_000_000))
	code, out := s.payctl(t, "operator-kim", "payment", "resolve", large.Provider, large.Order, "--settled", "--reason", "ticket 4711", "--yes")
	asked := regexp.MustCompile(`another person must approve request (\d+) `).FindStringSubmatch(out)
	if code != payctl.ExitFailed || asked == nil {
		t.Fatalf("exit %d\n%s", code, out)
	}
	approve := []string{"approvals", "approve", asked[1], "--reason", "seen at the provider", "--yes"}
	s.wantPayctl(t, "operator-kim", payctl.ExitFailed, "you made this request: another person must approve it", approve...)
	s.wantPayctl(t, "operator-kim", payctl.ExitUsage, "the NATS key belongs to kim", append(approve, "--by", "lee")...)
	s.wantPayctl(t, "operator-lee", payctl.ExitOK, "approved and carried out", approve...)
	s.wantPayctl(t, "operator-lee", payctl.ExitFailed, "the request has ended: approved by lee", approve...)
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, "resolved_manually by kim: ticket 4711", "payment", "show", large.Provider, large.Order)
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, "0 found.", "approvals", "verify")
}

// forgedRequests are requests in the name of kim, which lee wants to approve alone: lee's own key writes one past payctl, and a
// stolen key of a worker another. Neither is a request.
func forgedRequests(t *testing.T, s *system) {
	t.Helper()
	seq := s.inDoubt(t, payment.Ref{Provider: "retired-kr", Order: "AP-2"}, payment.KRW(5_000_000))
	now := time.Now().UTC()
	body, err := json.Marshal(events.AuditRecord{
		ID: "forged-request", Stage: events.Requested, Action: events.ActionSettle, Provider: "retired-kr", Order: "AP-2", By: "kim", Reason: "not me", At: now,
		ExpiresAt: now.Add(time.Hour), Items: []events.AuditItem{{Order: "AP-2", Before: payment.InDoubt, Event: seq, Amount: payment.KRW(5_000_000)}},
	})
	testenv.Must(t, err)
	for user, subject := range map[string]string{"operator-lee": "operator.settle.retired-kr.AP-2", "worker": "operator.account.retired-kr.-"} {
		ack, err := s.jetStream(t, user).Publish(bounded(t), subject, body)
		testenv.Must(t, err)
		s.wantPayctl(t, "operator-lee", payctl.ExitFailed, "no such request", "approvals", "approve", fmt.Sprint(ack.Sequence), "--reason", "mine", "--yes")
	}
	if code, out := s.payctl(t, "operator-kim", "approvals", "list"); code != payctl.ExitOK || strings.Contains(out, "AP-2") {
		t.Errorf("exit %d\n%s", code, out)
	}
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, "in_doubt", "payment", "show", "retired-kr", "AP-2")
}

// inDoubt lets the key of a worker write a payment in doubt, and returns its sequence.
func (s *system) inDoubt(t *testing.T, ref payment.Ref, amount payment.Money) uint64 {
	t.Helper()
	out, err := events.EncodePayment(payment.Payment{
		Ref: ref, Operation: payment.Deposit, Status: payment.InDoubt, Revision: 1, Attempts: 1, Amount: amount, UpdatedAt: time.Now().UTC(),
	}, "in-doubt-"+ref.Order)
	testenv.Must(t, err)
	ack, err := s.jetStream(t, "worker").PublishMsg(bounded(t), &nats.Msg{Subject: out.Subject, Header: nats.Header{jetstream.HeaderPrevious: {"0"}}, Data: out.Data})
	testenv.Must(t, err)
	return ack.Sequence
}
