package payctl

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"payonce/internal/credentials"
)

func credentialsCommand(env Env) *cobra.Command {
	c := group("credentials", "Make the keys and the configuration of a secured NATS",
		"  payctl credentials make nats --host nats-1 --upstream shop=ecommpay-kr,teemopay-kr --ledger books --operator kim")
	c.AddCommand(credentialsMakeCommand(env))
	return c
}

func credentialsMakeCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "make DIR", Short: "Make an nkey for each program, upstream, ledger and operator, and the files of the server",
		Long: `Make an nkey for each program, upstream, ledger and operator, the files of the server that name them, a key for
what the server stores, and certificates of a CA of their own. Production brings certificates of its own CA and
replaces ca.pem, server.pem and server.key. With --redis-host the folder redis has a certificate and the TLS settings of
Redis and Sentinel.

Nothing is overwritten: if any of the files is there, nothing is written. Only the owner can read them.`,
		Example: `  payctl credentials make nats --host localhost --host 127.0.0.1
  payctl credentials make nats --host nats-1 --host nats-2 --host nats-3 --upstream 'shop=*' --ledger books --operator kim`,
		Args: arguments("DIR"),
	}
	hosts := c.Flags().StringSlice("host", []string{"localhost", "127.0.0.1"}, "a `NAME` or address of the servers, for their certificate; may be repeated")
	redisHosts := c.Flags().StringSlice("redis-host", nil, "a `NAME` or address of the Redis servers and Sentinels: certificates are made for them, too; may be repeated")
	upstreams := c.Flags().StringArray("upstream", nil, "a service that publishes commands, and the providers it may use: `NAME=PROVIDER,…`, or NAME=*; may be repeated")
	ledgers := c.Flags().StringSlice("ledger", nil, "the `NAME` of a service that reads outcomes; may be repeated")
	operators := c.Flags().StringSlice("operator", nil, "the `NAME` of a person who works with payctl, as it stands in the audit; may be repeated")
	c.RunE = func(_ *cobra.Command, args []string) error {
		o := credentials.Options{Dir: args[0], Ledgers: *ledgers, Operators: *operators, Hosts: *hosts, RedisHosts: *redisHosts, Now: env.Now()}
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
		_, err := fmt.Fprintf(env.Stdout, `The servers' files are in %s; keep nats.env from everybody else.
Each program gets its own file of %s, and ca.pem.
ca.key is for further certificates only: keep it away from the servers.
administrator.seed can delete the log: keep it offline, and take it out for payctl streams apply alone.
`, filepath.Join(args[0], credentials.ServerDir), filepath.Join(args[0], credentials.ClientsDir))
		return err
	}
	return c
}
