package testenv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startTimeout bounds how long a process may take until it works. Machines that run tests are slow.
const startTimeout = 2 * time.Minute

// StartLogged is [Start] for a process that is stopped when the test ends. Its log is dir/name.log, and a test that fails shows the
// end of it.
func StartLogged(t testing.TB, dir, name string, cmd *exec.Cmd, working string) *Process {
	t.Helper()
	process := startLogged(t, dir, name, cmd, working)
	t.Cleanup(func() {
		if err := process.Stop(StopTimeout); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	return process
}

func startLogged(t testing.TB, dir, name string, cmd *exec.Cmd, working string) *Process {
	t.Helper()
	path := filepath.Join(dir, name+".log")
	logs, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = logs.Close()
		if text, err := os.ReadFile(path); err == nil && t.Failed() {
			t.Logf("the last of %s:\n%s", name, text[max(0, len(text)-8000):])
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	process, err := Start(ctx, cmd, logs, working)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return process
}

// Process is a service that runs as a process of its own.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and its output is read
	err  error         // of Wait, after done
}

// Start runs a command, copies what it logs to logs, and returns once it has logged a line that contains
// working. It is an error if the process ends before.
func Start(ctx context.Context, cmd *exec.Cmd, logs io.Writer, working string) (*Process, error) {
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // never outlive the testenv
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	works := make(chan struct{})
	go p.follow(stderr, logs, working, works)
	if err := p.untilItWorks(ctx, works); err != nil {
		return nil, err
	}
	return p, nil
}

// untilItWorks waits for the line. A process that has logged it and ended since, before we looked, did work.
func (p *Process) untilItWorks(ctx context.Context, works <-chan struct{}) error {
	select {
	case <-works:
		return nil
	case <-p.done:
		select {
		case <-works:
			return nil
		default:
		}
		return fmt.Errorf("%s ended at once, see its log: %w", p.cmd.Path, p.err)
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("%s does not begin to work: %w", p.cmd.Path, ctx.Err())
	}
}

func (p *Process) follow(stderr io.Reader, logs io.Writer, working string, works chan<- struct{}) {
	defer close(p.done)
	lines := bufio.NewScanner(stderr)
	for seen := false; lines.Scan(); {
		_, _ = fmt.Fprintln(logs, lines.Text())
		if !seen && strings.Contains(lines.Text(), working) {
			seen = true
			close(works)
		}
	}
	p.err = p.cmd.Wait()
}

// Pid returns the process's id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Killed reports whether the process was ended by SIGKILL. Call it after Done.
func (p *Process) Killed() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// Kill ends the process as kill -9 does, and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// StopTimeout is how long a process that was asked to stop may take: longer than a worker's default
// shutdown_timeout.
const StopTimeout = 45 * time.Second

// ErrHung says that a process did not end when it was asked to.
var ErrHung = errors.New("it did not end and was killed")

// Stop asks the process to end in good order and waits for its end. One that takes longer than timeout is
// killed, and the error is [ErrHung] then. A process that had ended before is no error.
func (p *Process) Stop(timeout time.Duration) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	p.Kill()
	return fmt.Errorf("%s, %s after it was told to stop: %w", p.cmd.Path, timeout, ErrHung)
}

// Signal sends a signal, e.g. SIGSTOP to freeze the process.
func (p *Process) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// Memory returns a line of the process's status in KiB, e.g. VmHWM: the most that it ever had resident (proc(5)).
func (p *Process) Memory(line string) (kilobytes int, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid()))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(status), line+":")
	if _, err := fmt.Sscanf(after, "%d kB", &kilobytes); err != nil {
		return 0, fmt.Errorf("%s of %s is not told: %w", line, p.cmd.Path, err)
	}
	return kilobytes, nil
}
