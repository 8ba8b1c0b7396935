package payctl_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"payonce/internal/payctl"
	"payonce/test/natstest"
)

// teller closes said once, when something is written.
type teller struct {
	bytes.Buffer
	said chan struct{}
}

func (w *teller) Write(p []byte) (int, error) {
	if w.said != nil {
		close(w.said)
		w.said = nil
	}
	return w.Buffer.Write(p)
}

// streams apply --wait goes on when the servers are there, and does not wait for a bad command line.
func TestStreamsApplyWaits(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	path := configuration(t, server.URL(), nowhere)
	server.Stop()
	said := make(chan struct{})
	problems := &teller{said: said}
	var out bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- payctl.Run(t.Context(), []string{"streams", "apply", "--wait", "1m", "--config", path}, payctl.Env{
			Stdin: strings.NewReader(""), Stdout: &out, Stderr: problems, Now: time.Now, LookupEnv: func(string) (string, bool) { return "", false },
		})
	}()
	<-said // it has failed once
	server.Restart()
	if got := <-code; got != 0 || !strings.Contains(out.String(), "match their definition") {
		t.Errorf("code %d, %s%s", got, out.String(), problems.String())
	}
	got := payctl.Run(t.Context(), []string{"streams", "apply", "--wait", "10m", "--config", "nowhere.yaml"}, payctl.Env{
		Stdout: io.Discard, Stderr: io.Discard, Now: time.Now,
	})
	if got != 2 {
		t.Errorf("a bad configuration: code %d", got)
	}
}
