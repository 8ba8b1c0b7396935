package payctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"

	"payonce/internal/app"
	"payonce/pkg/clock"
	"payonce/pkg/connectors"
	"payonce/pkg/operator"
)

// Exit codes.
const (
	ExitOK     = 0
	ExitFailed = 1 // not valid, not known, or it could not be done
	ExitUsage  = 2 // the command line or the configuration is wrong
)

// Env is what a run has of the world around it.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Terminal says that Stderr is one: progress is then drawn as a bar.
	Terminal bool
	// Interactive says that Stdin is a terminal, where a person can be asked.
	Interactive bool
	// LookupEnv returns a variable of the environment, and whether it is set.
	LookupEnv func(name string) (string, bool)
	Now       func() time.Time
	// Kinds are the connectors that the configuration can name.
	Kinds []connectors.Kind
	// Timeout bounds what one step asks of NATS or of a provider; 0 takes [DefaultTimeout].
	Timeout time.Duration
	// Clock is what Now reads, so that what a person does is written by NATS's time, whatever the person's machine
	// shows. NATS is asked for it with each connection; nil leaves Now as it is.
	Clock *clock.Clock
}

// DefaultTimeout is long enough for a broker that is busy.
const DefaultTimeout = 30 * time.Second

// pageSize is how many records one step reads. Each is a request of its own, so that a page of many could not be
// read within the time of a step when the broker is busy or far away.
const pageSize = 50

// Run is the whole program. It ends early, in good order, when ctx ends. It returns the exit code; what
// went wrong has been printed. Writes to Stderr come one after the other, and none after its return.
func Run(ctx context.Context, args []string, env Env) int {
	problems := &lockedWriter{w: env.Stderr}
	defer problems.end()
	env.Stderr = problems
	if env.Timeout == 0 {
		env.Timeout = DefaultTimeout
	}
	root := rootCommand(env)
	root.SetArgs(append([]string{}, args...)) // for nil it would take those of the process
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.ExecuteContext(ctx)
	if err != nil {
		_, _ = fmt.Fprintf(env.Stderr, "payctl: %v%s\n", err, howToGoOn(err))
	}
	var usage usageError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &usage):
		return ExitUsage
	default:
		return ExitFailed
	}
}

// howToGoOn says how an action that did not come to its end is continued.
func howToGoOn(err error) string {
	var unfinished *operator.UnfinishedError
	switch {
	case !errors.As(err, &unfinished):
		return ""
	case unfinished.From.IsZero():
		return "\nRun the same command again to continue"
	}
	return "\nRun the same command again to continue, with --from " + unfinished.From.UTC().Format(time.RFC3339Nano)
}

// usageError is a mistake in the command line or in the configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func rootCommand(env Env) *cobra.Command {
	root := group("payctl", "Operate payonce: status, payments, parked payments, dead letters, statements, mass payouts, streams, signatures", `  payctl status
  payctl sign ecommpay --secret env:ECOMMPAY_SECRET < body.json
  payctl payment show ecommpay-kr P-1001
  payctl payouts import payouts.csv --provider ecommpay-kr --dry-run`)
	root.Long = root.Short + `.

Exit code: 0 success, 1 failure, 2 wrong command line or configuration.`
	root.SilenceErrors, root.SilenceUsage = true, true
	root.Version = app.ThisBuild().String()
	root.SetVersionTemplate("payctl {{.Version}}\n")
	root.SetFlagErrorFunc(wrongFlag)
	root.AddCommand(statusCommand(env), signCommand(env), verifyCommand(env), paymentCommand(env), paymentsCommand(env), archiveCommand(env), banksCommand(env), payoutsCommand(env),
		statementsCommand(env), parkedCommand(env), deadLettersCommand(env), refusalsCommand(env), webhooksCommand(env), endpointsCommand(env), ledgersCommand(env), auditCommand(env), approvalsCommand(env), privacyCommand(env), logCommand(env), streamsCommand(env), credentialsCommand(env), consoleCommand(env), healthCommand(env), versionCommand(env))
	return root
}

// group returns a command that only holds others.
func group(use, short, example string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Example: example, Args: cobra.ArbitraryArgs, SuggestionsMinimumDistance: 2,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) > 0:
				return noCommand(c, args[0])
			case c.HasParent():
				return usagef("%s needs a command: %s; see %[1]s --help", c.CommandPath(), strings.Join(names(c), ", "))
			}
			return c.Help()
		},
	}
}

// wrongFlag says what is wrong with a flag. A group that reads flags after a name doesn't have a command of that name: the name is wrong,
// and the flags are those of the command that was meant.
func wrongFlag(c *cobra.Command, err error) error {
	if args := c.Flags().Args(); c.HasAvailableSubCommands() && len(args) > 0 {
		return noCommand(c, args[0])
	}
	return usagef("%w; see %s --help", err, c.CommandPath())
}

func noCommand(c *cobra.Command, name string) error {
	return usagef("%s has no command %q%s; see %[1]s --help", c.CommandPath(), name, meant(c, name))
}

// meant suggests the commands that a misspelt name is close to.
func meant(c *cobra.Command, name string) string {
	suggested := c.SuggestionsFor(name)
	if len(suggested) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(suggested, " or ") + "?"
}

func versionCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "version", Short: "Print the version, the commit and its date", Example: "  payctl version", Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(env.Stdout, "payctl", app.ThisBuild())
			return err
		},
	}
	c.Flags().String("config", "", "accepted like that of other commands, and not read: `FILE`")
	return c
}

func names(c *cobra.Command) []string {
	var all []string
	for _, child := range c.Commands() {
		if child.IsAvailableCommand() {
			all = append(all, child.Name())
		}
	}
	return all
}

// arguments makes a command take exactly the named arguments.
func arguments(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		want := "no arguments"
		if len(names) > 0 {
			want = strings.Join(names, " ")
		}
		return usagef("%s takes %s, got %d arguments; see %[1]s --help", c.CommandPath(), want, len(args))
	}
}

// writeJSON prints v as indented JSON. Characters that a terminal obeys or does not show are escaped: a text of a provider's
// or an upstream's must not move the cursor, nor show its parts in another order. The values stay the same.
func writeJSON(w io.Writer, v any) error {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	var shown strings.Builder
	for _, r := range text.String() { // between texts JSON has blanks and line ends only
		switch {
		case r == '\n' || unicode.IsPrint(r):
			shown.WriteRune(r)
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				_, _ = fmt.Fprintf(&shown, `\u%04x`, unit)
			}
		}
	}
	_, err := io.WriteString(w, shown.String())
	return err
}
