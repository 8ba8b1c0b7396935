package payctl

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows how far the sending has come. Its methods are safe for concurrent use.
type progress interface {
	add()
	end()
}

// newProgress draws a bar on a terminal and writes a line now and then elsewhere.
func newProgress(e Env, total int, unit string) progress {
	if !e.Terminal {
		return &lines{w: e.Stderr, total: total, unit: unit}
	}
	return bar{progressbar.NewOptions(total,
		progressbar.OptionSetWriter(e.Stderr), progressbar.OptionSetDescription(unit),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString(unit),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(30),
	), e.Stderr}
}

type bar struct {
	*progressbar.ProgressBar
	w io.Writer
}

func (b bar) add() { _ = b.Add(1) }

func (b bar) end() {
	_ = b.Exit()
	_, _ = fmt.Fprintln(b.w)
}

// lines writes a line for each tenth.
type lines struct {
	w           io.Writer
	mu          sync.Mutex
	total, done int
	unit        string
}

func (l *lines) add() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done++
	if l.done*10/l.total > (l.done-1)*10/l.total {
		_, _ = fmt.Fprintf(l.w, "%d of %d %s\n", l.done, l.total, l.unit)
	}
}

func (l *lines) end() {}
