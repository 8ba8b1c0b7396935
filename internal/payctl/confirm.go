package payctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// actionFlags are the flags of every command that changes something.
type actionFlags struct {
	config, by, reason *string
	yes, dryRun        *bool
}

// addActionFlags adds the flags of an action.
func addActionFlags(c *cobra.Command) actionFlags {
	return actionFlags{
		config: addConfig(c),
		by:     c.Flags().String("by", "", "`NAME` of the person acting, for the audit record; "+byRequired),
		reason: c.Flags().String("reason", "", "why you do it, as `TEXT` for the audit record; required"),
		yes:    c.Flags().Bool("yes", false, "do not ask for confirmation"),
		dryRun: c.Flags().Bool("dry-run", false, "show what would be done and exit"),
	}
}

const byRequired = "required unless NATS has an account for each operator"

// person returns the person that the command line names. The login of the machine is not the default, because operators share
// machines and logins. Where NATS has an account for each operator, [whoIs] fills in the name.
func (h actionFlags) person() (operator.Person, error) {
	p := operator.Person{Name: *h.by, Why: *h.reason}
	if p.Name == "" {
		if cfg, err := load(*h.config); err == nil && cfg.NATS.Accounts {
			p.Name = nameFromServer
		}
	}
	if err := p.Validate(); err != nil {
		return p, usagef("--by NAME and --reason TEXT are required: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return p, nil
}

// nameFromServer is the name until the server has returned it.
const nameFromServer = "?"

// whoIs returns the person with the name of the NATS account that payctl is logged in to, where the server has one for each
// person; --by cannot name another. Elsewhere it returns p unchanged.
func whoIs(ctx context.Context, conn *admin.Conn, p operator.Person) (operator.Person, error) {
	name, err := conn.Person(ctx)
	switch {
	case err != nil:
		return p, err
	case name == "" && p.Name == nameFromServer:
		return p, usagef("--by NAME is required: this NATS user does not belong to an operator")
	case name == "":
		return p, nil
	case p.Name != nameFromServer && p.Name != name:
		return p, usagef("--by %s: the NATS key belongs to %s", p.Name, name)
	}
	p.Name = name
	return p, nil
}

// asPerson is withNATS for an action of a person, whose name [whoIs] completes.
func (e Env) asPerson(ctx context.Context, path string, who operator.Person, do func(context.Context, config.Config, *admin.Conn, operator.Person) error) error {
	return e.withNATS(ctx, path, func(ctx context.Context, cfg config.Config, conn *admin.Conn) error {
		who, err := whoIs(ctx, conn, who)
		if err != nil {
			return err
		}
		return do(ctx, cfg, conn, who)
	})
}

// aboutPayment carries out a person's decision about one payment and prints the payment's history after it.
func (e Env) aboutPayment(c *cobra.Command, ref payment.Ref, h actionFlags, asJSON bool, do func(context.Context, config.Config, *admin.Conn, operator.Person) (timeline, error)) error {
	who, err := h.person()
	if err != nil {
		return err
	}
	return e.asPerson(c.Context(), *h.config, who, func(ctx context.Context, cfg config.Config, conn *admin.Conn, who operator.Person) error {
		s, err := do(ctx, cfg, conn, who)
		if err != nil {
			return unknownTo(cfg, ref, err)
		}
		return s.write(c.OutOrStdout(), asJSON)
	})
}

// paymentArgs returns the payment that PROVIDER and ORDER name.
func paymentArgs(args []string) (payment.Ref, error) {
	ref := payment.Ref{Provider: args[0], Order: args[1]}
	if err := ref.Validate(); err != nil {
		return ref, usageError{err}
	}
	return ref, nil
}

// confirm asks the person to type a word. Without a terminal --yes is required.
func (e Env) confirm(h actionFlags, question, word string) error {
	if *h.yes {
		return nil
	}
	if !e.Interactive {
		return usagef("stdin is not a terminal: use --yes, or --dry-run to preview")
	}
	_, _ = fmt.Fprintf(e.Stderr, "%s\nType %s to confirm: ", question, word)
	answer, err := e.line()
	if err != nil || strings.TrimSpace(answer) != word {
		return errors.New("not confirmed; nothing was done")
	}
	return nil
}

// line reads one line and no further, so that a second question finds the second answer.
func (e Env) line() (string, error) {
	if reader, ok := e.Stdin.(*bufio.Reader); ok {
		return reader.ReadString('\n')
	}
	var line strings.Builder
	for one := make([]byte, 1); ; {
		if _, err := e.Stdin.Read(one); err != nil {
			return line.String(), err
		}
		if one[0] == '\n' {
			return line.String(), nil
		}
		line.WriteByte(one[0])
	}
}

// actions are what a person can do, with their audit records.
func (e Env) actions(conn *admin.Conn) operator.Actions {
	return operator.Actions{
		Service: operator.Service{Log: conn, Queue: conn, Now: e.Now}, Audit: conn, NewID: uuid.NewString, Timeout: e.Timeout,
	}
}

// deciding are the actions, of which some need a second person by the configuration.
func (e Env) deciding(cfg config.Config, conn *admin.Conn) operator.Actions {
	a := e.actions(conn)
	a.Approvals = operator.Approvals{Above: cfg.Approvals.Limits(), Expires: cfg.Approvals.Expires, Accounts: cfg.NATS.Accounts, Requests: conn}
	return a
}

// errMoved is the error of an action on a payment that is not any more as it was shown.
var errMoved = errors.New("the payment has changed meanwhile; nothing was written: check it and run the command again")

// ifMoved is err, or errMoved where the payment moved on.
func ifMoved(err error) error {
	if errors.Is(err, events.ErrStale) {
		return errMoved
	}
	return err
}
