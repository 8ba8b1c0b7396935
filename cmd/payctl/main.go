// Command payctl is the operator's command line. See docs/payctl.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"payonce/internal/app"
	"payonce/internal/payctl"
	"payonce/pkg/clock"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal then has its default effect
	ours := clock.New(clock.Machine(time.Now), clock.Limits{})
	code := payctl.Run(ctx, os.Args[1:], payctl.Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Terminal: term.IsTerminal(int(os.Stderr.Fd())),
		Interactive: term.IsTerminal(int(os.Stdin.Fd())),
		LookupEnv:   os.LookupEnv, Now: ours.Now, Clock: ours, Kinds: app.Kinds(),
	})
	stop()
	os.Exit(code)
}
