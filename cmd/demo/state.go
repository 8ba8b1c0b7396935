package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"payonce/test/testenv"
)

// state is the folder that a system lives in, and where its parts listen. One that is kept is at the same addresses again: links
// that customers have lead there, and a provider's account is known by its address.
type state struct {
	dir  string
	kept bool

	NATS    string `json:"nats"`
	Sandbox string `json:"sandbox"`
	Console string `json:"console"`
	Ingress string `json:"ingress"`
	Runs    int    `json:"runs"` // how often a system was started in it
}

// addressesFile is beside the configuration.
const addressesFile = "addresses.json"

// openState opens the folder, for this process alone, or makes a fresh one that is removed in the end, if dir is empty. listen is
// the ingress's address; empty is that of the last run, or a free one.
func openState(t testing.TB, dir, listen string) *state {
	s := &state{dir: dir, kept: dir != ""}
	var err error
	if s.kept {
		s.dir, err = filepath.Abs(dir)
		testenv.Must(t, errors.Join(err, os.MkdirAll(s.dir, 0o700)))
		s.lock(t)
		s.read(t)
	} else {
		s.dir, err = os.MkdirTemp("", "payonce-")
		testenv.Must(t, err)
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("The logs are in %s", s.dir)
				return
			}
			_ = os.RemoveAll(s.dir)
		})
	}
	if listen != "" {
		s.Ingress = listen
	}
	for _, address := range []*string{&s.NATS, &s.Sandbox, &s.Console, &s.Ingress} {
		if *address == "" {
			*address = testenv.FreeAddress(t)
		}
	}
	s.Runs++
	addresses, err := json.Marshal(s)
	testenv.Must(t, err)
	testenv.Must(t, testenv.ReplaceFile(filepath.Join(s.dir, addressesFile), addresses))
	return s
}

func (s *state) read(t testing.TB) {
	path := filepath.Join(s.dir, addressesFile)
	addresses, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	testenv.Must(t, err)
	err = json.Unmarshal(addresses, s)
	if err == nil && s.Runs < 1 {
		err = errors.New("it counts no run") // each that is written does
	}
	if err != nil {
		testenv.Must(t, testenv.Damaged(path, err))
	}
}

// lock keeps a second process out of the folder, until the test ends.
func (s *state) lock(t testing.TB) {
	file, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	testenv.Must(t, err)
	t.Cleanup(func() { _ = file.Close() })
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatalf("%s: another system runs in this folder", s.dir)
	}
}

// described says what becomes of the folder.
func (s *state) described() string {
	if s.kept {
		return fmt.Sprintf("kept; make run STATE=%s goes on with these payments", s.dir)
	}
	return "removed in the end; make run STATE=dir keeps one"
}

// saveEvery is how often the provider's orders are saved. A system that is killed goes on with what was saved last, as a provider
// would that lost its last second.
const saveEvery = time.Second

// keepSandbox saves the provider's orders until the test ends.
func (s *stack) keepSandbox() {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(saveEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-stop:
				return
			}
			if err := s.SaveSandbox(); err != nil {
				s.T.Errorf("save the provider's orders: %v", err)
				return
			}
		}
	}()
	s.T.Cleanup(func() {
		close(stop)
		<-stopped
		if err := s.SaveSandbox(); err != nil {
			s.T.Errorf("save the provider's orders: %v", err)
		}
	})
}
