package payctl

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"payonce/internal/credentials"
)

func credentialsCommand(env Env) *cobra.Command {
	c := group("credentials", "Create the keys and the configuration of a secured NATS",
		"  payctl credentials make nats --host nats-1 --upstream shop=ecommpay-kr,teemopay-kr --ledger accounting --operator kim")
	c.AddCommand(credentialsMakeCommand(env))
	return c
}

func credentialsMakeCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "make DIR", Short: "Create nkeys, certificates and the server's files",
		Long: `Create an nkey for each program, upstream, ledger and operator, and with --endpoint for the notifier, the server's configuration with their public keys, an
encryption key for the server's storage, and certificates of a new CA. In production, replace ca.pem, server.pem and
server.key by certificates of your own CA. With --redis-host, the folder redis gets a certificate and the TLS settings
of Redis and Sentinel.

If one of the files exists, nothing is written. Only the owner can read the files.`,
		Example: `  payctl credentials make nats --host localhost --host 127.0.0.1
  payctl credentials make nats --host nats-1 --host nats-2 --host nats-3 --upstream 'shop=*' --ledger accounting --operator kim`,
		Args: arguments("DIR"),
	}
	hosts := c.Flags().StringSlice("host", []string{"localhost", "127.0.0.1"}, "`NAME` or address of a NATS server, for its certificate; may be repeated")
	redisHosts := c.Flags().StringSlice("redis-host", nil, "`NAME` or address of a Redis server or Sentinel, for its certificate; may be repeated")
	upstreams := c.Flags().StringArray("upstream", nil, "a service that publishes commands, and its providers: `NAME=PROVIDER,…`, or NAME=* for all; may be repeated")
	ledgers := c.Flags().StringSlice("ledger", nil, "`NAME` of a service that reads outcomes; may be repeated")
	endpoints := c.Flags().StringSlice("endpoint", nil, "`NAME` of an endpoint of the configuration; with one, a key for the notifier is made; may be repeated")
	operators := c.Flags().StringSlice("operator", nil, "`NAME` of a person who uses payctl, as audit records show it; may be repeated")
	c.RunE = func(_ *cobra.Command, args []string) error {
		o := credentials.Options{Dir: args[0], Ledgers: *ledgers, Endpoints: *endpoints, Operators: *operators, Hosts: *hosts, RedisHosts: *redisHosts, Now: env.Now()}
		for _, given := range *upstreams {
			name, providers, found := strings.Cut(given, "=")
			if !found {
				return usagef("--upstream %s: must be NAME=PROVIDER,… or NAME=*", given)
			}
			o.Upstreams = append(o.Upstreams, credentials.Upstream{Name: name, Providers: strings.Split(providers, ",")})
		}
		if err := credentials.Make(o); err != nil {
			return err
		}
		_, err := fmt.Fprintf(env.Stdout, `The servers' files are in %s; keep nats.env secret.
Give each program its own file of %s, and ca.pem.
ca.key signs further certificates: keep it away from the servers.
administrator.seed can delete the log: keep it offline, and use it for payctl streams apply only.
`, filepath.Join(args[0], credentials.ServerDir), filepath.Join(args[0], credentials.ClientsDir))
		return err
	}
	return c
}
