package payctl

import (
	"io"
	"sync"
)

// lockedWriter is standard error while a command runs. The NATS client logs there from goroutines of its own, beside the progress and
// the questions of the command, so each text is written as a whole before the next one begins.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *lockedWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}

// end drops what a closed connection still logs: the caller of [Run] has its writer for itself again.
func (s *lockedWriter) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w = io.Discard
}
