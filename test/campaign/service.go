package campaign

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"payonce/test/testenv"
)

// Times of the supervision of processes.
const (
	startTimeout = 60 * time.Second       // until a process must have begun to work
	restartPause = 500 * time.Millisecond // as a container's restart takes
	stopTimeout  = 20 * time.Second       // until a process that was asked to end is killed; more than shutdown_timeout
)

// service is a process that is started again whenever it ends, as an orchestrator does.
type service struct {
	name    string
	program string
	args    []string
	working string // text of the line that says that it works
	note    func(format string, args ...any)

	logs *os.File
	stop context.CancelFunc
	done chan struct{} // closed when it is stopped for good
	// starts counts how often it began to work.
	starts atomic.Int64
	// ownEnds counts how often it ended though the run did not kill it.
	ownEnds atomic.Int64

	// strike is held by who does something to the process, so that what is frozen is not killed.
	strike sync.Mutex

	mu      sync.Mutex
	process *testenv.Process // nil while it does not run
	leaving *testenv.Process // was asked to end
}

// launch keeps the process running until end is called, and returns when it works for the first time.
func (s *service) launch(ctx context.Context, dir string) error {
	var err error
	if s.logs, err = os.Create(filepath.Join(dir, s.name+".log")); err != nil {
		return err
	}
	// It outlives ctx: what has to stop first is for the system to say.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop, s.done = stop, make(chan struct{})
	first := make(chan struct{})
	go s.keepRunning(running, sync.OnceFunc(func() { close(first) }))
	select {
	case <-first:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s does not begin to work: %w", s.name, ctx.Err())
	}
}

func (s *service) keepRunning(ctx context.Context, works func()) {
	defer close(s.done)
	defer func() { _ = s.logs.Close() }()
	for ctx.Err() == nil {
		if process := s.startOnce(ctx); process != nil {
			works()
			select {
			case <-process.Done():
				if !process.Killed() && !s.told(process) {
					s.note("%s ended by itself, see its log", s.name)
					s.ownEnds.Add(1)
				}
			case <-ctx.Done():
				if err := process.Stop(stopTimeout); err != nil {
					s.note("%s: %v", s.name, err)
				}
			}
			s.set(nil)
		}
		select {
		case <-ctx.Done():
		case <-time.After(restartPause):
		}
	}
}

// startOnce returns the process when it works, and nil if it does not begin to.
func (s *service) startOnce(ctx context.Context) *testenv.Process {
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	process, err := testenv.Start(starting, exec.Command(s.program, s.args...), s.logs, s.working)
	if err != nil {
		if ctx.Err() == nil {
			s.note("%s is tried again: %v", s.name, err)
		}
		return nil
	}
	s.starts.Add(1)
	s.set(process)
	return process
}

func (s *service) set(process *testenv.Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = process
}

// running returns the process, or nil.
func (s *service) running() *testenv.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// kill ends the process as kill -9 does. It is false if there was none. It is started again after a pause.
func (s *service) kill() bool {
	s.strike.Lock()
	defer s.strike.Unlock()
	process := s.running()
	if process == nil {
		return false
	}
	process.Kill()
	return process.Killed()
}

// freeze stops the process for a time, as a paused machine does. It is false if there was none.
func (s *service) freeze(ctx context.Context, length time.Duration) bool {
	s.strike.Lock()
	defer s.strike.Unlock()
	process := s.running()
	if process == nil || process.Signal(syscall.SIGSTOP) != nil {
		return false
	}
	select {
	case <-time.After(length):
	case <-ctx.Done():
	}
	return process.Signal(syscall.SIGCONT) == nil
}

// replace ends the process in good order, as a deploy does, and returns when the next one works or ctx has
// ended. It is false if there was none.
func (s *service) replace(ctx context.Context) bool {
	s.strike.Lock()
	defer s.strike.Unlock()
	process := s.running()
	if process == nil {
		return false
	}
	s.mu.Lock()
	s.leaving = process
	s.mu.Unlock()
	if err := process.Stop(stopTimeout); err != nil {
		s.note("%s: %v", s.name, err)
		return false
	}
	if process.Killed() { // by another part of the run, before it could
		return false
	}
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for next := s.running(); next == nil || next == process; next = s.running() {
		select {
		case <-ctx.Done():
			return true
		case <-ticker.C:
		}
	}
	return true
}

// told reports whether a process ended because it was asked to.
func (s *service) told(process *testenv.Process) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaving == process
}

// end stops the process for good, if it was launched.
func (s *service) end() {
	if s.stop == nil {
		return
	}
	s.stop()
	<-s.done
}
