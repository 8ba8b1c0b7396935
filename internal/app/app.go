// Package app wires the parts of payonce into its programs: flags, configuration, connections, signals.
// It is the only place where connectors, NATS and Redis meet. The services in cmd call [Main]; the demo and
// the fault tests call the same functions.
package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"payonce/internal/telemetry"
	"payonce/pkg/clock"
	"payonce/pkg/config"
	"payonce/pkg/connectors"
	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/connectors/teemopay"
)

// Exit codes of all programs.
const (
	ExitOK     = 0
	ExitFailed = 1 // it could not run, or could not go on
	ExitUsage  = 2 // the command line or the configuration is wrong
)

// Kinds lists the connectors that configuration can name.
func Kinds() []connectors.Kind {
	return []connectors.Kind{teemopay.Kind, ecommpay.Kind, diamondpay.Kind}
}

// Runtime is what every service is started with.
type Runtime struct {
	Service    string // the service's name
	Name       string // of this process, shown by NATS and in logs
	Config     config.Config
	Connectors *connectors.Registry
	Logger     *slog.Logger
	// Now is NATS's time, as this process has measured it; before it could, this machine's.
	Now func() time.Time

	clock *clock.Clock     // what Now reads
	local func() time.Time // this machine's clock

	accept acceptance // of changed accounts, by a person

	path  string        // of the configuration
	role  config.Role   // what it is for
	files *config.Files // what it was read from

	// Payctl is how payctl is called here, for commands that people are told to run; empty means "payctl".
	Payctl string

	health   *health        // nil where observed did not set it
	admin    *http.ServeMux // what the operators' listener serves; nil where observed did not set it
	measured bool           // whether metrics are exported or scraped
}

// Service is a program that runs until ctx ends.
type Service struct {
	Name    string
	Summary string
	// Role says which parts of the configuration the service needs.
	Role config.Role
	// Run works until ctx ends and then stops in good order. It calls ready once, when it has begun to work.
	Run func(ctx context.Context, rt Runtime, ready func(message string)) error
}

// Main is the whole of a service's main function: it reads flags and configuration, runs the service
// until SIGINT or SIGTERM, and returns the exit code. A second signal ends the process at once.
func Main(service Service, args []string, stdout, stderr io.Writer) int {
	options, code, done := parseFlags(service, args, stdout, stderr)
	if done {
		return code
	}
	if options.selfCheck {
		return check(context.Background(), service, options.config, stdout, stderr)
	}
	if err := options.accept.validate(); err != nil {
		fmt.Fprintf(stderr, "%s: %s\n", service.Name, strings.ReplaceAll(err.Error(), "\n", "; "))
		return ExitUsage
	}
	rt, err := Load(service, options.config, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "%v\n\nFix the file and check it with: %s --check-config --config %s\n", err, service.Name, options.config)
		return ExitUsage
	}
	rt.accept = options.accept
	logLibraries(rt.Logger)
	for _, warning := range rt.Config.Warnings() {
		rt.Logger.Warn("configuration", "warning", warning)
	}
	if options.checkConfig {
		fmt.Fprintf(stdout, "%s\nThe configuration is valid.\n", rt.Config.Summary())
		return ExitOK
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal then has its default effect
	defer stop()
	err = service.Run(ctx, rt, func(message string) { rt.Logger.Info(message) })
	if err != nil && !errors.Is(err, context.Canceled) {
		rt.Logger.Error("ended", append([]any{"error", err}, next(err)...)...)
		return ExitFailed
	}
	rt.Logger.Info("stopped")
	return ExitOK
}

type flags struct {
	config      string
	checkConfig bool
	selfCheck   bool
	accept      acceptance
}

func parseFlags(service Service, args []string, stdout, stderr io.Writer) (options flags, code int, done bool) {
	set := flag.NewFlagSet(service.Name, flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&options.config, "config", config.DefaultPath(os.LookupEnv), "configuration `FILE`, also by PAYONCE_CONFIG; payonce.example.yaml has every key")
	set.BoolVar(&options.checkConfig, "check-config", false, "check the configuration, print all problems and exit")
	set.BoolVar(&options.selfCheck, "check", false, "check everything that the service depends on, print the results with what to do, and exit")
	if service.Role == config.RoleWorker {
		set.Var(&options.accept, "accept-account-change", "accept a changed account of one provider (`=PROVIDER`) or all, although payments may have been sent to the previous one; read docs/operators.md first, and use it once")
		set.StringVar(&options.accept.by, "by", "", "`NAME` of the person acting, for the audit record")
		set.StringVar(&options.accept.reason, "reason", "", "why you do it, as `TEXT` for the audit record")
	}
	version := set.Bool("version", false, "print the version and exit")
	set.Usage = func() {
		fmt.Fprintf(set.Output(), `%s: %s

Usage:
  %[1]s [--config FILE]

Examples:
  %[1]s --config /etc/payonce/payonce.yaml
  %[1]s --config payonce.yaml --check-config
  %[1]s --config payonce.yaml --check

Flags:
`, service.Name, service.Summary)
		set.PrintDefaults()
	}
	for _, arg := range args {
		if arg == "-h" || arg == "--help" || arg == "-help" {
			set.SetOutput(stdout)
		}
	}
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return options, ExitOK, true
	case err != nil:
		return options, ExitUsage, true
	case set.NArg() > 0:
		fmt.Fprintf(stderr, "%s takes no arguments, only flags; see %[1]s --help\n", service.Name)
		return options, ExitUsage, true
	case *version:
		fmt.Fprintln(stdout, service.Name, ThisBuild())
		return options, ExitOK, true
	}
	return options, ExitOK, false
}

// Load reads the configuration and makes the connectors. The error lists every problem.
func Load(service Service, path string, logs io.Writer) (Runtime, error) {
	ours := clock.New(clock.Machine(time.Now), clock.Limits{})
	cfg, registry, files, err := read(path, service.Role, ours.Now)
	if err != nil {
		return Runtime{}, err
	}
	ours.Allow(clockLimits(cfg))
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return Runtime{
		Service: service.Name, Name: fmt.Sprintf("%s@%s:%d", service.Name, host, os.Getpid()), Config: cfg, Connectors: registry,
		Logger: NewLogger(cfg.Log, logs), Now: ours.Now, clock: ours, local: time.Now,
		path: path, role: service.Role, files: files,
	}, nil
}

// read reads the configuration and makes its connectors, which go by now. The files are those that were read, also after an
// error.
func read(path string, role config.Role, now func() time.Time) (config.Config, *connectors.Registry, *config.Files, error) {
	source, files := config.OS().Watched()
	cfg, err := config.Load(path, source, role)
	if role == config.RoleArchive || role == config.RoleNotifier { // which need no secret of a provider
		return cfg, connectors.NewRegistry(nil), files, err
	}
	registry, err := cfg.Connectors(Kinds(), now) // with the problems of Load
	return cfg, registry, files, err
}

// NewLogger returns a logger as configured. Lines that are written within a trace name it.
func NewLogger(cfg config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		level = slog.LevelInfo // the configuration was validated before
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: withoutNil}
	if cfg.Format == "text" {
		return slog.New(telemetry.Logs(slog.NewTextHandler(w, options)))
	}
	return slog.New(telemetry.Logs(slog.NewJSONHandler(w, options)))
}

// withoutNil leaves out a nil error: "error=<nil>" reads like an error.
func withoutNil(_ []string, a slog.Attr) slog.Attr {
	if a.Key == "error" && a.Value.Kind() == slog.KindAny && a.Value.Any() == nil {
		return slog.Attr{}
	}
	return a
}
