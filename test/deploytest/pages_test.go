package deploytest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"payonce/internal/credentials"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

// documented returns the arguments of each command of a program within a marked part of a page of docs, split by
// a real shell.
func documented(t *testing.T, page, part, program string) (commands [][]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs", page))
	testenv.Must(t, err)
	_, marked, found := strings.Cut(string(text), "<!-- "+part+" -->")
	marked, _, closed := strings.Cut(marked, "<!-- end of "+part+" -->")
	if !found || !closed {
		t.Fatalf("%s has no part %s", page, part)
	}
	for line := range strings.Lines(marked) {
		if !strings.HasPrefix(line, program+" ") {
			continue
		}
		out, err := exec.CommandContext(t.Context(), "sh", "-c", program+"() { printf '%s\\0' \"$@\"; }\n"+line).Output()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		commands = append(commands, strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"))
	}
	if len(commands) < 2 {
		t.Fatalf("%s: %d commands of %s", page, len(commands), program)
	}
	return commands
}

// here replaces the places of a page by those of this test.
func (b broker) here(args []string) []string {
	places := strings.NewReplacer("tls://127.0.0.1:4222", strings.Join(b.urls(), ","), "nats/clients", filepath.Join(b.dir, credentials.ClientsDir))
	replaced := make([]string, len(args))
	for i, arg := range args {
		replaced[i] = places.Replace(arg)
	}
	return replaced
}

// payAsDocumented publishes what the lines of docs/upstream.md publish, with the rights of an upstream, and returns
// the one payment that all of them are about.
func (s *system) payAsDocumented(t *testing.T) payment.Ref {
	t.Helper()
	var ref payment.Ref
	for _, args := range documented(t, "upstream.md", "nats", "nats") {
		seed, ca, msg := s.seedFile("upstream-"+shop.Name), s.ca(), &nats.Msg{Header: nats.Header{}}
		args = s.here(args)[1:] // without req
		for ; len(args) > 2; args = args[2:] {
			switch name, value, _ := strings.Cut(args[1], ":"); args[0] {
			case "--server":
			case "--nkey":
				seed = args[1]
			case "--tlsca":
				ca = args[1]
			case "-H":
				msg.Header.Set(name, value)
			default:
				t.Fatalf("nats req has a flag %s", args[0])
			}
		}
		login, err := nats.NkeyOptionFromSeed(seed)
		testenv.Must(t, err)
		nc, err := nats.Connect(strings.Join(s.urls(), ","), login, nats.RootCAs(ca), nats.Timeout(timeout))
		testenv.Must(t, err)
		msg.Subject, msg.Data = args[0], []byte(args[1])
		reply, err := nc.RequestMsg(msg, timeout)
		nc.Close()
		var ack struct {
			Stream string
			Seq    uint64
			Error  any
		}
		if err != nil || json.Unmarshal(reply.Data, &ack) != nil || ack.Stream != events.IntakeStream(shop.Name) || ack.Seq == 0 || ack.Error != nil {
			t.Fatalf("%s: %+v: %v", msg.Subject, ack, err)
		}
		named, ok := events.SubjectRef(msg.Subject)
		if !ok || ref != (payment.Ref{}) && named != ref {
			t.Errorf("%s is about another payment than %s", msg.Subject, ref)
		}
		ref = named
	}
	return ref
}
