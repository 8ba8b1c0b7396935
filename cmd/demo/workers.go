package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// workerProcess is one worker: this program, started once more.
type workerProcess struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}
}

func (s *stack) startWorkers(ctx context.Context) error {
	for range 2 {
		if err := s.startWorker(ctx); err != nil {
			return err
		}
	}
	s.closers = append(s.closers, s.stopWorkers)
	return nil
}

// startWorker starts one more worker and waits until it works.
func (s *stack) startWorker(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	w := &workerProcess{name: fmt.Sprintf("worker %d", len(s.workers)+1), done: make(chan struct{})}
	logs, err := os.Create(filepath.Join(s.dir, strings.ReplaceAll(w.name, " ", "-")+".log"))
	if err != nil {
		return err
	}
	w.cmd = exec.CommandContext(context.WithoutCancel(ctx), self, workerArgument, "--config", s.configFile())
	stderr, err := w.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := w.cmd.Start(); err != nil {
		return err
	}
	s.workers = append(s.workers, w)
	working := make(chan struct{})
	go func() {
		defer close(w.done)
		lines := bufio.NewScanner(stderr)
		for seen := false; lines.Scan(); {
			fmt.Fprintln(logs, lines.Text())
			if !seen && strings.Contains(lines.Text(), "msg=working") {
				seen = true
				close(working)
			}
		}
		_ = w.cmd.Wait()
		_ = logs.Close()
	}()
	select {
	case <-working:
		return nil
	case <-w.done:
		return fmt.Errorf("%s ended at once", w.name)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ownerOf returns the worker that holds an order's claim.
func (s *stack) ownerOf(order string) (*workerProcess, error) {
	key := fmt.Sprintf("payonce:claim:{%s:%s}", provider, order)
	owner := s.redis.HGet(key, "owner") // "worker@host:pid/…"
	for _, w := range s.workers {
		if strings.Contains(owner, fmt.Sprintf(":%d/", w.cmd.Process.Pid)) {
			return w, nil
		}
	}
	return nil, fmt.Errorf("no worker holds %s (owner %q)", order, owner)
}

// kill ends a worker as kill -9 does.
func (w *workerProcess) kill() {
	_ = w.cmd.Process.Kill()
	<-w.done
}

func (s *stack) stopWorkers() {
	for _, w := range s.workers {
		_ = w.cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, w := range s.workers {
		<-w.done
	}
}
