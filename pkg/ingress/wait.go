package ingress

import (
	"context"
	"strconv"
	"strings"
	"time"

	"payonce/pkg/payment"
)

// preferredWait reads "wait" from the Prefer headers (RFC 7240, 4.3); 0 when there is none that is
// valid. Of several the first counts.
func preferredWait(values []string) time.Duration {
	for _, value := range values {
		for _, preference := range splitUnquoted(value, ',') {
			name, text, _ := strings.Cut(splitUnquoted(preference, ';')[0], "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			seconds, err := strconv.ParseUint(unquoted(strings.TrimSpace(text)), 10, 31)
			if err != nil {
				return 0
			}
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}

// splitUnquoted splits at a separator outside of quoted strings. It returns at least one part.
func splitUnquoted(text string, separator byte) []string {
	var parts []string
	begin, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == separator && !quoted:
			parts = append(parts, text[begin:i])
			begin = i + 1
		}
	}
	return append(parts, text[begin:])
}

func unquoted(text string) string {
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		return text[1 : len(text)-1]
	}
	return text
}

// beginWaiting takes one of the places for waiting requests, if one is free and the key has not too many of them, and
// returns what gives it back; nil when there is none.
func (s *Server) beginWaiting(key *holder) (end func()) {
	select {
	case key.waiting <- struct{}{}:
	default:
		return nil
	}
	select {
	case s.waiting <- struct{}{}:
		return func() { <-s.waiting; <-key.waiting }
	default:
		<-key.waiting
		return nil
	}
}

// await returns the payment as soon as the customer can go on with it or it has ended, and after the
// wait whatever its state is.
func (s *Server) await(ctx context.Context, ref payment.Ref, upstream string, wait time.Duration) (payment.Payment, error) {
	changed, stop := s.log.Watch(ref) // before the first look, so that no change falls between
	defer stop()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		p, err := s.find(ctx, ref, upstream)
		if err != nil || p.Action != nil || p.Status.Ended() {
			return p, err
		}
		select {
		case _, open := <-changed:
			if !open { // the log notifies no more: the time decides
				changed = nil
			}
		case <-timer.C:
			return s.find(ctx, ref, upstream)
		case <-s.stopping:
			return s.find(ctx, ref, upstream)
		case <-ctx.Done():
			return payment.Payment{}, ctx.Err()
		}
	}
}
