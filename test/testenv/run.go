package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"testing"
)

// Run lets a program use what tests use: play gets a [testing.TB] that behaves as a test's. Fatal ends play, and what was started is
// stopped in the end. What is logged goes to logs; the error is what failed.
func Run(ctx context.Context, logs io.Writer, play func(t testing.TB)) error {
	p := &program{logs: logs}
	p.ctx, p.cancel = context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { // of its own, because Fatal ends the goroutine
		defer close(ended)
		defer p.cleanUp()
		play(p)
	}()
	<-ended
	return errors.Join(p.failures...)
}

// program implements the methods of [testing.TB] that set up a [System]. The others are those of nil, and panic.
type program struct {
	testing.TB
	ctx    context.Context
	cancel context.CancelFunc
	logs   io.Writer

	mu       sync.Mutex
	failures []error
	cleanups []func()
}

func (p *program) cleanUp() {
	p.cancel()
	for {
		p.mu.Lock()
		n := len(p.cleanups)
		if n == 0 {
			p.mu.Unlock()
			return
		}
		last := p.cleanups[n-1]
		p.cleanups = p.cleanups[:n-1]
		p.mu.Unlock()
		last()
	}
}

func (p *program) Helper()                  {}
func (p *program) Context() context.Context { return p.ctx }

func (p *program) Cleanup(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cleanups = append(p.cleanups, f)
}

func (p *program) TempDir() string {
	dir, err := os.MkdirTemp("", "payonce-")
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (p *program) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures = append(p.failures, err)
}

func (p *program) Failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.failures) > 0
}

func (p *program) Errorf(format string, args ...any) { p.fail(fmt.Errorf(format, args...)) }
func (p *program) Error(args ...any) {
	if err, is := args[0].(error); is && len(args) == 1 {
		p.fail(err)
		return
	}
	p.fail(errors.New(fmt.Sprint(args...)))
}
func (p *program) Fatalf(format string, args ...any) { p.Errorf(format, args...); runtime.Goexit() }
func (p *program) Fatal(args ...any)                 { p.Error(args...); runtime.Goexit() }
func (p *program) Skip(args ...any)                  { p.Fatal(args...) } // a program has nothing that it can leave out
func (p *program) Logf(format string, args ...any)   { fmt.Fprintf(p.logs, format+"\n", args...) }
