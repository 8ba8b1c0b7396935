package payctl

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"payonce/pkg/config"
	"payonce/pkg/events/jetstream/admin"
)

func auditVerifyCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "verify", Short: "Verify that no audit record was removed, changed or forged",
		Long: `Verify that no audit record was removed, changed or forged. Each record contains the hash of the previous one. With the
accounts of payctl credentials make, the server writes the author into each record and copies it to an account without
users. It changes nothing, and exits with 1 if it finds something.

It also checks whether the log lost events, as payctl streams diff does.`,
		Example: "  payctl audit verify\n  payctl audit verify --json", Args: arguments(),
	}
	path, asJSON := addConfig(c), addJSON(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return env.withNATS(c.Context(), *path, func(ctx context.Context, _ config.Config, conn *admin.Conn) error {
			check, err := conn.VerifyAudit(ctx)
			if err != nil {
				return err
			}
			lost, err := conn.CheckLog(ctx)
			if err != nil {
				return err
			}
			for _, problem := range lost {
				check.Findings = append(check.Findings, admin.AuditFinding{Problem: problem})
			}
			if *asJSON {
				err = writeJSON(c.OutOrStdout(), check)
			} else {
				err = printCheck(env, check)
			}
			if err == nil && len(check.Findings) > 0 {
				return fmt.Errorf("%d findings; see docs/operators.md", len(check.Findings))
			}
			return err
		})
	}
	return c
}

func printCheck(env Env, check admin.AuditCheck) error {
	for _, f := range check.Findings {
		at := ""
		if f.Sequence != 0 {
			at = fmt.Sprintf("record %d: ", f.Sequence)
		}
		if _, err := fmt.Fprintln(env.Stdout, printable(at+f.Problem)); err != nil {
			return err
		}
	}
	copies := "no copies on this server"
	if check.Copies >= 0 {
		copies = fmt.Sprintf("%d copies", check.Copies)
	}
	_, err := fmt.Fprintf(env.Stdout, "%d records, %d chained, %s.\n", check.Records, check.Chained, copies)
	return err
}
