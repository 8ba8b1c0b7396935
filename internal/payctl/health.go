package payctl

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// healthTimeout is shorter than an orchestrator waits.
const healthTimeout = 4 * time.Second

// healthCommand asks a service how it is. Images without a shell and without curl have this for their
// health check.
func healthCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "health URL", Short: "Check whether a service is ready",
		Long:    "Check whether a service is ready, as the health check of a container: exits with 1 unless the URL answers 200.",
		Example: "  payctl health http://127.0.0.1:8080/readyz", Args: arguments("URL"),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		req, err := http.NewRequestWithContext(c.Context(), http.MethodGet, args[0], nil)
		if err != nil {
			return usagef("%w; want a URL like http://127.0.0.1:9091/readyz", err)
		}
		if req.URL.Host == "" {
			return usagef("%q is not a URL like http://127.0.0.1:9091/readyz", args[0])
		}
		client := &http.Client{Timeout: healthTimeout}
		reply, err := client.Do(req)
		if err != nil {
			return fmt.Errorf("%w\nNext: check that the service runs and that its admin_listen is this address", err)
		}
		_ = reply.Body.Close()
		if reply.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s; see its log, or run worker --check", args[0], reply.Status)
		}
		_, err = fmt.Fprintln(env.Stdout, "ready")
		return err
	}
	return c
}
