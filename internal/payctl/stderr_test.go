package payctl

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// plainBuffer is a writer that must not be used by two at the same time, as a buffer is: the race detector sees it.
type plainBuffer struct{ text []byte }

func (b *plainBuffer) Write(p []byte) (int, error) {
	b.text = append(b.text, p...)
	return len(p), nil
}

// A connection that loses NATS logs it while the progress of an import is written.
func TestTextsOnStandardErrorAreWhole(t *testing.T) {
	t.Parallel()
	var out plainBuffer
	s := &lockedWriter{w: &out}
	var all sync.WaitGroup
	const writers, texts = 4, 200
	for range writers {
		all.Go(func() {
			for range texts {
				_, _ = fmt.Fprintln(s, "one text")
			}
		})
	}
	all.Wait()
	s.end()
	if n, err := fmt.Fprintln(s, "late"); n == 0 || err != nil {
		t.Errorf("a late text: %d, %v", n, err)
	}
	if string(out.text) != strings.Repeat("one text\n", writers*texts) {
		t.Errorf("%d bytes", len(out.text))
	}
}
