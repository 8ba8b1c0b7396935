package campaign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"payonce/internal/app"
	"payonce/internal/payctl"
	"payonce/pkg/sandbox"
	"payonce/test/testenv"
)

// The roles in which the program starts itself again, as its first argument.
const (
	roleNATS    = "run-nats"
	roleSandbox = "run-sandbox"
	roleIngress = "run-ingress"
	roleWorker  = "run-worker"
	rolePayctl  = "run-payctl"
)

// overdrawn is an account that refuses payouts until it is funded.
const (
	overdrawn = testenv.TeemoPay
	overdraft = 1_000_000_000
	funding   = 1_000_000_000_000
)

// Child plays the role that the first argument names. It is false when the arguments name none. The main
// function of every program that calls [Run] must call it first.
func Child(args []string, stdout, stderr io.Writer) (code int, child bool) {
	if len(args) == 0 {
		return 0, false
	}
	var err error
	switch args[0] {
	case roleWorker:
		return app.Main(app.Worker(), args[1:], stdout, stderr), true
	case roleIngress:
		return app.Main(app.Ingress(), args[1:], stdout, stderr), true
	case rolePayctl:
		return payctl.Run(context.Background(), args[1:], payctl.Env{
			Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr, LookupEnv: os.LookupEnv, Now: time.Now,
			Kinds: app.Kinds(), Timeout: 10 * time.Second,
		}), true
	case roleNATS:
		err = runNATS(args[1:])
	case roleSandbox:
		err = runSandbox(args[1:], stderr)
	default:
		return 0, false
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", args[0], err)
		return app.ExitFailed, true
	}
	return app.ExitOK, true
}

var errArguments = errors.New("the campaign starts this role by itself, with one file as argument")

// runNATS is a nats-server with a configuration file, as its own binary would be.
func runNATS(args []string) error {
	if len(args) != 1 {
		return errArguments
	}
	options, err := server.ProcessConfigFile(args[0])
	if err != nil {
		return err
	}
	instance, err := server.NewServer(options)
	if err != nil {
		return err
	}
	instance.ConfigureLogger()
	if err := server.Run(instance); err != nil {
		return err
	}
	instance.WaitForShutdown()
	return nil
}

// sandboxFile is the configuration of the sandbox's process.
type sandboxFile struct {
	Listen string
	At     testenv.Addresses
}

// runSandbox is the sandbox. Its customers pay by themselves, it accepts an order as often as it is
// sent, and it repeats its callbacks for minutes.
func runSandbox(args []string, stderr io.Writer) error {
	if len(args) != 1 {
		return errArguments
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var file sandboxFile
	if err := json.Unmarshal(text, &file); err != nil {
		return err
	}
	keys, err := testenv.ReadKeys(filepath.Dir(args[0]))
	if err != nil {
		return err
	}
	accounts, err := keys.Accounts(file.At, func(a *sandbox.AccountConfig) {
		a.AutoPay, a.MoveDelay, a.Retry.Attempts = true, 200*time.Millisecond, 100
		a.Faults = []sandbox.Fault{{Name: sandbox.AcceptDuplicates}}
		if a.Name == overdrawn {
			a.Balance = -overdraft
		}
	})
	if err != nil {
		return err
	}
	box, err := sandbox.New(sandbox.Options{Now: time.Now, Accounts: accounts})
	if err != nil {
		return err
	}
	return serveSandbox(file.Listen, box, stderr)
}

func serveSandbox(address string, box *sandbox.Sandbox, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: box, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = srv.Close(); box.Close() })
	fmt.Fprintln(stderr, listening, listener.Addr())
	if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// listening is the line that the sandbox writes when it serves.
const listening = "listening on"
