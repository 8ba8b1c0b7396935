package faults

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"payonce/internal/trial"
)

// clockVariable names the file in which a worker of shiftedWorker finds by how many nanoseconds its wall clock is wrong.
const clockVariable = "PAYONCE_TEST_CLOCK"

// shift is added to package time: it moves the wall clock by the nanoseconds that stand in a file, and leaves the
// monotonic clock. The file is mapped into memory, because the runtime reads the clock where no system call is allowed.
const shift = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var shiftBy = mapShift()

func mapShift() *int64 {
	path, set := syscall.Getenv("` + clockVariable + `")
	if !set {
		return new(int64)
	}
	file, err := syscall.Open(path, syscall.O_RDONLY, 0)
	if err != nil {
		panic(err)
	}
	memory, err := syscall.Mmap(file, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return (*int64)(unsafe.Pointer(&memory[0]))
}

// shifted moves a reading of the wall clock.
func shifted(sec int64, nsec int32) (int64, int32) {
	if shiftBy == nil { // before this package is initialised
		return sec, nsec
	}
	total := sec*1e9 + int64(nsec) + atomic.LoadInt64(shiftBy)
	return total / 1e9, int32(total % 1e9)
}
`

// buildShifted builds a worker whose wall clock a test sets, beside the other programs.
var buildShifted = sync.OnceValues(func() (program string, err error) {
	built, err := build()
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(built.worker)
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	src := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	text, err := os.ReadFile(filepath.Join(src, "time.go"))
	if err != nil {
		return "", err
	}
	const reads = "sec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(text), "func Now() Time {\n\t"+reads) != 1 {
		return "", fmt.Errorf("time.Now of this Go reads its clocks in another way than %q", reads)
	}
	text = []byte(strings.Replace(string(text), "func Now() Time {\n\t"+reads, "func Now() Time {\n\t"+reads+"\tsec, nsec = shifted(sec, nsec)\n", 1))
	replace := map[string]string{}
	for name, content := range map[string][]byte{"time.go": text, "shifted.go": []byte(shift)} {
		path := filepath.Join(dir, name+".txt")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(src, name)] = path
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		return "", err
	}
	program = filepath.Join(dir, "shifted-worker")
	if out, err := exec.Command("go", "build", "-overlay", file, "-o", program, "payonce/cmd/worker").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build -overlay: %w\n%s", err, out)
	}
	return program, nil
})

// startShifted starts a system after the worker with a wrong clock was built, which compiles all of its packages.
func startShifted(t *testing.T) *system {
	t.Helper()
	if _, err := buildShifted(); err != nil {
		t.Fatal(err)
	}
	return start(t)
}

// wrongClock is a worker whose wall clock is wrong.
type wrongClock struct {
	*trial.Process
	s         *system
	file, log string
	admin     string // address of its /metrics and /readyz
}

// shiftedWorker starts a worker whose wall clock is wrong by an amount.
func (s *system) shiftedWorker(by time.Duration) *wrongClock {
	s.t.Helper()
	program, err := buildShifted()
	s.must(err)
	w := &wrongClock{s: s, file: filepath.Join(s.dir, fmt.Sprintf("clock-%d", s.workers+1)), admin: s.free(s.t.Context())}
	w.set(by)
	text, err := os.ReadFile(s.config)
	s.must(err)
	before := s.config
	s.config = filepath.Join(s.dir, fmt.Sprintf("clock-%d.yaml", s.workers+1))
	s.must(os.WriteFile(s.config, []byte(strings.Replace(string(text), "\nworker:\n", "\nworker:\n  admin_listen: "+w.admin+"\n", 1)), 0o600))
	w.Process = s.worker(program, clockVariable+"="+w.file)
	w.log = filepath.Join(s.dir, fmt.Sprintf("worker-%d.log", s.workers))
	s.config = before
	return w
}

// set makes the clock wrong by an amount from now on.
func (w *wrongClock) set(by time.Duration) {
	w.s.t.Helper()
	file, err := os.OpenFile(w.file, os.O_WRONLY|os.O_CREATE, 0o600) // written in place: the worker has it in its memory
	w.s.must(err)
	_, err = file.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(by)), 0)
	w.s.must(errors.Join(err, file.Close()))
}

// says waits until the worker's log has a text.
func (w *wrongClock) says(text string) {
	w.s.t.Helper()
	w.until("log: "+text, func() bool {
		log, err := os.ReadFile(w.log)
		return err == nil && strings.Contains(string(log), text)
	})
}

// until waits for something of the worker.
func (w *wrongClock) until(what string, is func() bool) {
	w.s.t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for late := time.After(patience); !is(); {
		select {
		case <-ticker.C:
		case <-late:
			w.s.t.Fatalf("it never came to %s", what)
		}
	}
}
