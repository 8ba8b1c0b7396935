package faults

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"payonce/test/testenv"
)

// clockVariable names the file in which a worker of shiftedWorker finds by how many nanoseconds its clocks are wrong: the
// wall clock first, then the monotonic one.
const clockVariable = "PAYONCE_TEST_CLOCK"

// shiftRuntime is added to package runtime. Only there are timers, deadlines and package time moved together.
const shiftRuntime = `package runtime

import (
	"internal/runtime/atomic"
	_ "unsafe"
)

// shiftBy is set by package time.
//
//go:linkname shiftBy
var shiftBy *[2]int64

//go:nosplit
func shift(clock int) int64 {
	if shiftBy == nil { // before package time is initialised
		return 0
	}
	return atomic.Loadint64(&shiftBy[clock])
}

func shiftedNow() (sec int64, nsec int32, mono int64) {
	sec, nsec, _ = time_now()
	total := sec*1e9 + int64(nsec) + shift(0)
	return total / 1e9, int32(total % 1e9), nanotime()
}
`

// shiftTime is added to package time. The file is mapped into memory, because the runtime reads the clocks where no system
// call is allowed.
const shiftTime = `package time

import (
	"syscall"
	"unsafe"
)

//go:linkname shiftBy runtime.shiftBy
var shiftBy *[2]int64

func init() {
	path, set := syscall.Getenv("` + clockVariable + `")
	if !set {
		return
	}
	file, err := syscall.Open(path, syscall.O_RDONLY, 0)
	if err != nil {
		panic(err)
	}
	memory, err := syscall.Mmap(file, 0, 16, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	shiftBy = (*[2]int64)(unsafe.Pointer(&memory[0]))
}
`

// shiftEdits are made in the files of package runtime.
var shiftEdits = []struct{ file, from, to string }{
	{"time.go", "\treturn time_now()\n", "\treturn shiftedNow()\n"},
	{"time_nofake.go", "\treturn nanotime1()\n", "\treturn nanotime1() + shift(1)\n"},
}

// shiftedWorker is a worker whose clocks a test moves, built once.
var shiftedWorker struct {
	sync.Once
	program string
}

func shifted(t *testing.T) string {
	t.Helper()
	shiftedWorker.Do(func() {
		overlay, err := shiftOverlay(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		shiftedWorker.program = testenv.Build(t, "-overlay", overlay, "payonce/cmd/worker")
	})
	if shiftedWorker.program == "" {
		t.Fatal("the worker with a wrong clock was not built")
	}
	return shiftedWorker.program
}

// shiftOverlay writes what "go build -overlay" needs into a folder.
func shiftOverlay(dir string) (path string, err error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	src := filepath.Join(strings.TrimSpace(string(root)), "src")
	files := map[string]string{"runtime/shifted.go": shiftRuntime, "time/shifted.go": shiftTime}
	for _, edit := range shiftEdits {
		text, err := os.ReadFile(filepath.Join(src, "runtime", edit.file))
		if err != nil {
			return "", err
		}
		if strings.Count(string(text), edit.from) != 1 {
			return "", fmt.Errorf("this Go reads its clocks in another way: %s has not %q once", edit.file, edit.from)
		}
		files["runtime/"+edit.file] = strings.Replace(string(text), edit.from, edit.to, 1)
	}
	replace := map[string]string{}
	for name, content := range files {
		path := filepath.Join(dir, strings.ReplaceAll(name, "/", "-")+".txt")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(src, filepath.FromSlash(name))] = path
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, overlay, 0o600)
}

// startShifted starts a system after the worker with a wrong clock was built, which compiles all of its packages.
func startShifted(t *testing.T) *system {
	t.Helper()
	shifted(t)
	return start(t)
}

// wrongClock is a worker whose clocks are wrong.
type wrongClock struct {
	*testenv.Process
	s         *system
	file, log string
	wall      time.Duration // what its wall clock is wrong by
	admin     string        // base URL of its /metrics and /readyz
}

// shiftedWorker starts a worker whose wall clock is wrong by an amount.
func (s *system) shiftedWorker(by time.Duration, env ...string) *wrongClock {
	s.t.Helper()
	program := shifted(s.t)
	name := fmt.Sprintf("worker-%d", s.workers+1)
	w := &wrongClock{s: s, file: filepath.Join(s.Dir, name+".clock"), log: name}
	w.set(by)
	w.shift(1, 0)
	before := s.Config
	w.admin = "http://" + s.Admin("worker")
	w.Process = s.workerOf(program, append(env, clockVariable+"="+w.file)...)
	s.Config = before
	return w
}

// set makes the wall clock wrong by an amount from now on.
func (w *wrongClock) set(by time.Duration) {
	w.s.t.Helper()
	w.wall = by
	w.shift(0, by)
}

// suspend stops the worker until the returned function is called. Its monotonic clock has stood still then, with all of
// its timers, and its wall clock if wallToo says so. NATS, Redis and the provider go on.
func (w *wrongClock) suspend(ctx context.Context, wallToo bool) (wake func()) {
	w.s.t.Helper()
	w.s.Must(w.Signal(syscall.SIGSTOP))
	w.s.untilFrozen(ctx, w.Process)
	since := time.Now() // not before, or its monotonic clock would go back
	return func() {
		w.s.t.Helper()
		stood := time.Since(since)
		w.shift(1, -stood)
		if wallToo {
			w.set(w.wall - stood)
		}
		w.s.t.Logf("it was suspended for %s", stood)
		w.s.Must(w.Signal(syscall.SIGCONT))
	}
}

// shift moves a clock: the wall clock is 0, the monotonic one 1.
func (w *wrongClock) shift(clock int64, by time.Duration) {
	w.s.t.Helper()
	file, err := os.OpenFile(w.file, os.O_WRONLY|os.O_CREATE, 0o600) // written in place: the worker has it in its memory
	w.s.Must(err)
	_, err = file.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(by)), 8*clock)
	w.s.Must(errors.Join(err, file.Close()))
}

// says waits until the worker's log has a text.
func (w *wrongClock) says(ctx context.Context, text string) {
	w.s.t.Helper()
	w.s.logged(ctx, w.log, text)
}
