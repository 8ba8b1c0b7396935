package console

import (
	"testing"
	"testing/synctest"
	"time"

	"payonce/pkg/payment"
)

// oneChange is a log of which a test says when it changes.
type oneChange chan struct{}

func (c oneChange) Watch(payment.Ref) (<-chan struct{}, func()) { return c, func() {} }

// A page is told of a change at once, and a second later once more: what it shows from the archive may not have been stored before.
func TestPagesAreToldOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		change := make(oneChange, 1)
		c := follow(change)
		defer c.close()
		page, ok := c.join()
		if !ok {
			t.Fatal("no room for a page")
		}
		<-page // it looks after it joined
		began := time.Now()
		var told []time.Duration
		change <- struct{}{}
		for len(told) < 3 {
			<-page
			told = append(told, time.Since(began))
		}
		if told[0] != 0 || told[1] != liveEvery || told[2] < 10*liveEvery {
			t.Errorf("told after %v", told)
		}
	})
}
