package payctl

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"payonce/internal/app"
	"payonce/pkg/config"
)

func consoleCommand(env Env) *cobra.Command {
	parent := group("console", "Sign in to the console of a test environment", "  payctl console link")
	link := &cobra.Command{
		Use: "link", Short: "Print a link that signs in to the console, once, within ten minutes",
		Long: `Print a link that signs in to the console, once, within ten minutes. The console runs on this machine (or in this container), in
environment test, with console.links and console.admin_listen in its configuration.`,
		Example: "  payctl console link", Args: arguments(),
	}
	configPath := addConfig(link)
	link.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := load(*configPath)
		if err != nil {
			return err
		}
		at, err := linkURL(cfg.Console)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(c.Context(), http.MethodPost, at, nil)
		if err != nil {
			return usagef("console.admin_listen: %w", err)
		}
		made, err := askForLink(req)
		if err != nil {
			return fmt.Errorf("%w\nNext: check that the console runs on this machine, with the same configuration", err)
		}
		_, err = fmt.Fprintln(env.Stdout, printable(made))
		return err
	}
	parent.AddCommand(link)
	return parent
}

// linkURL is where the console makes links: the operators' listener, on this machine.
func linkURL(c config.Console) (string, error) {
	host, port, err := net.SplitHostPort(c.AdminListen)
	if !c.Links || err != nil || port == "0" {
		return "", usagef("the console makes no links: that needs environment test, and console.links and console.admin_listen with a port")
	}
	if addr, err := netip.ParseAddr(host); host == "" || err == nil && addr.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + app.LinkPath, nil
}

// longestLink bounds what is read of the answer, in bytes.
const longestLink = 4 << 10

func askForLink(req *http.Request) (string, error) {
	reply, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(reply.Body, longestLink))
	if err != nil {
		return "", err
	}
	if reply.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s", req.URL, reply.Status)
	}
	return strings.TrimSpace(string(text)), nil
}
