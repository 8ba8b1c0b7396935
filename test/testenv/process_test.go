package testenv

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"testing"
	"time"
)

// A process that ignores the signal is killed, and its caller gets [ErrHung]. One that obeys it is not killed.
func TestStopIsBounded(t *testing.T) {
	for name, test := range map[string]struct {
		script  string
		timeout time.Duration
		want    error
	}{
		"hung":  {`trap "" TERM; echo working >&2; exec sleep 600`, 100 * time.Millisecond, ErrHung},
		"good":  {`echo working >&2; exec sleep 600`, time.Minute, nil},
		"ended": {`echo working >&2`, time.Minute, nil},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			process, err := Start(ctx, exec.Command("sh", "-c", test.script), io.Discard, "working")
			if err != nil {
				t.Fatal(err)
			}
			if name == "ended" {
				<-process.Done()
			}
			if err := process.Stop(test.timeout); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
			select {
			case <-process.Done():
			default:
				t.Error("it still runs")
			}
			if killed := test.want != nil; process.Killed() != killed {
				t.Errorf("killed: %t", process.Killed())
			}
		})
	}
}

// On a machine that is busy a process can have worked and ended before it is looked at.
func TestWhatWorkedAndEndedHasWorked(t *testing.T) {
	works, done := make(chan struct{}), make(chan struct{})
	close(works)
	close(done)
	p := &Process{cmd: exec.Command("sh"), done: done}
	for range 100 {
		if err := p.untilItWorks(t.Context(), works); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.untilItWorks(t.Context(), nil); err == nil {
		t.Error("it never worked, and is said to")
	}
}
