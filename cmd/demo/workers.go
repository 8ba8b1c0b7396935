package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"payonce/internal/testenv"
)

// worker is one worker: this program, started once more.
type worker struct {
	*testenv.Process
	name string
}

func (s *stack) startWorkers(ctx context.Context) error {
	s.closers = append(s.closers, s.stopWorkers)
	for range 2 {
		if err := s.startWorker(ctx); err != nil {
			return err
		}
	}
	return nil
}

// startWorker starts one more worker and waits until it works.
func (s *stack) startWorker(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("worker %d", len(s.workers)+1)
	logs, err := os.Create(filepath.Join(s.dir, strings.ReplaceAll(name, " ", "-")+".log"))
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self, workerArgument, "--config", s.config)
	process, err := testenv.Start(ctx, cmd, logs, "msg=working")
	if err != nil {
		return err
	}
	s.workers = append(s.workers, worker{process, name})
	return nil
}

// ownerOf returns the worker that holds an order's claim.
func (s *stack) ownerOf(order string) (worker, error) {
	key := fmt.Sprintf("payonce:claim:{%s:%s}", provider, order)
	owner := s.redis.HGet(key, "owner") // "worker@host:pid/…"
	for _, w := range s.workers {
		if strings.Contains(owner, fmt.Sprintf(":%d/", w.Pid())) {
			return w, nil
		}
	}
	return worker{}, fmt.Errorf("no worker holds %s (owner %q)", order, owner)
}

func (s *stack) stopWorkers() {
	for _, w := range s.workers {
		if err := w.Stop(testenv.StopTimeout); err != nil {
			fmt.Fprintln(os.Stderr, "demo:", err)
		}
	}
}
