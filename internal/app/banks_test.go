package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// mute is a provider that lists no banks.
type mute struct{ connectors.Connector }

func (mute) Traits() connectors.Traits { return connectors.Traits{Operations: payment.Operations()} }

// lister is a provider that lists its banks, or fails, or hangs.
type lister struct {
	mute
	asked []time.Duration // since the start, for each payout list
	err   error
	hangs bool
	began time.Time
}

func (l *lister) Banks(ctx context.Context, op payment.Operation) ([]connectors.Bank, error) {
	if op == payment.Payout {
		l.asked = append(l.asked, time.Since(l.began))
	}
	if l.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return []connectors.Bank{{Code: "004"}}, l.err
}

// keeping runs keepBanks for a time and returns what it logged.
func keeping(t *testing.T, l *lister, span time.Duration) string {
	t.Helper()
	var logs bytes.Buffer
	l.began = time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	logger := slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	keepBanks(ctx, connectors.NewRegistry(map[string]connectors.Connector{"lists": l, "mute": mute{}}), logger)
	if since := time.Since(l.began); since != span {
		t.Errorf("it ended after %s, its context after %s", since, span)
	}
	return logs.String()
}

func TestBanksAreAskedForAtTheStartAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lister{}
		logs := keeping(t, l, banksEvery+time.Second)
		if len(l.asked) != 2 || l.asked[0] != 0 || l.asked[1] != banksEvery {
			t.Errorf("asked at %v", l.asked)
		}
		if strings.Contains(logs, "WARN") || strings.Count(logs, "operation=deposit count=1") != 2 {
			t.Errorf("logged %s", logs)
		}
	})
}

func TestBanksAreAskedForSoonAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lister{err: errors.New("personal data")}
		logs := keeping(t, l, banksAgain+time.Second)
		if len(l.asked) != 2 || l.asked[1] != banksAgain {
			t.Errorf("asked at %v", l.asked)
		}
		if strings.Contains(logs, "personal") || strings.Count(logs, "WARN") != 4 || strings.Contains(logs, "mute") {
			t.Errorf("logged %s", logs)
		}
	})
}

func TestBanksThatHangAreAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lister{hangs: true}
		keeping(t, l, banksTimeout+time.Second) // ends within the second list
		if len(l.asked) != 1 || l.asked[0] != banksTimeout {
			t.Errorf("asked at %v, want once after the list for deposits", l.asked)
		}
	})
}
