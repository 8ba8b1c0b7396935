//go:build linux

package app

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// All threads of a program that yields have a lower priority, also those that begin later.
func TestYieldProcessor(t *testing.T) {
	if os.Getenv("PAYONCE_TEST_YIELD") == "" {
		own := exec.Command(os.Args[0], "-test.run=^TestYieldProcessor$") // it cannot be undone
		own.Env = append(os.Environ(), "PAYONCE_TEST_YIELD=1")
		if out, err := own.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	if err := yieldProcessor(); err != nil {
		t.Fatal(err)
	}
	stop, began := make(chan struct{}), make(chan struct{}, 8)
	defer close(stop)
	for range cap(began) { // each is a thread of its own
		go func() {
			var pipe [2]int
			if err := syscall.Pipe(pipe[:]); err != nil {
				t.Error(err)
			}
			go func() { <-stop; _ = syscall.Close(pipe[1]) }()
			began <- struct{}{}
			_, _ = syscall.Read(pipe[0], make([]byte, 1)) // blocks the thread
		}()
	}
	for range cap(began) {
		<-began
	}
	threads, err := filepath.Glob("/proc/self/task/*")
	if err != nil || len(threads) < 2 {
		t.Fatal(threads, err)
	}
	for _, thread := range threads {
		id, _ := strconv.Atoi(filepath.Base(thread))
		if priority, err := syscall.Getpriority(syscall.PRIO_PROCESS, id); err == nil && 20-priority != background { // the kernel says 20 less the nice value
			t.Errorf("thread %d has the nice value %d", id, 20-priority)
		}
	}
}
