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
		Use: "health URL", Short: "Ask a service whether it is ready; exits with 1 if it is not",
		Long:    "Ask a service whether it is ready; exits with 1 if it does not answer with 200. For health checks in containers.",
		Example: "  payctl health http://127.0.0.1:8080/readyz", Args: arguments("URL"),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		req, err := http.NewRequestWithContext(c.Context(), http.MethodGet, args[0], nil)
		if err != nil {
			return usagef("%w; it wants a URL like http://127.0.0.1:9091/readyz", err)
		}
		if req.URL.Host == "" {
			return usagef("%q is no URL like http://127.0.0.1:9091/readyz", args[0])
		}
		client := &http.Client{Timeout: healthTimeout}
		reply, err := client.Do(req)
		if err != nil {
			return fmt.Errorf("%w\nNext: see that the service runs, and that its admin_listen is this address", err)
		}
		_ = reply.Body.Close()
		if reply.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s; its log says what is missing, or ask: worker --check", args[0], reply.Status)
		}
		_, err = fmt.Fprintln(env.Stdout, "ready")
		return err
	}
	return c
}
