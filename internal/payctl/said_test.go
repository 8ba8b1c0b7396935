package payctl

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// onePart is a writer that must not be used by two at the same time, as a buffer is: the race detector sees it.
type onePart struct{ text []byte }

func (o *onePart) Write(p []byte) (int, error) {
	o.text = append(o.text, p...)
	return len(p), nil
}

// A connection that loses NATS logs it while the progress of an import is written.
func TestTextsOnStandardErrorAreWhole(t *testing.T) {
	t.Parallel()
	var out onePart
	s := &said{w: &out}
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
