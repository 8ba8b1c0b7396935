package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"payonce/pkg/config"
	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/idempotency/redis"
)

// What to do about NATS.
const (
	adviceToApply = "run payctl streams diff; then, as administrator: payctl streams apply, with --update where something differs"
	adviceForSync = "check that each server's file has sync_interval: always, as deploy/nats/server.conf does"
)

// adviceForNATS says what to do when a connection cannot be made by a service that needs this user.
func adviceForNATS(err error, user string) string {
	switch text := err.Error(); {
	case errors.Is(err, jetstream.ErrServerTooOld):
		return "update nats-server; its streams are kept"
	case strings.Contains(text, "nats.tls"), strings.Contains(text, "x509"), strings.Contains(text, "tls:"):
		return "check nats.tls and the server's certificate"
	case strings.Contains(text, "does not permit"):
		return jetstream.NextDenied(user)
	case strings.Contains(strings.ToLower(text), "authorization"), strings.Contains(text, "nkey"), strings.Contains(text, "credentials"):
		return "check the user's key in nats, and that the server knows it"
	case strings.Contains(text, "JetStream"):
		return "turn JetStream on for this account; a cluster needs most of its servers"
	}
	return "check nats.urls, that the servers run, and that no firewall blocks the port"
}

// adviceForStreams says what to do when the streams are not as they are declared.
func adviceForStreams(err error, user string) string {
	if jetstream.Denied(err) {
		return jetstream.NextDenied(user)
	}
	return adviceToApply
}

// checkNATS connects for itself and looks at the server and its streams, without changing them.
func checkNATS(ctx context.Context, rt Runtime) []finding {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	conn, err := dialNATS(ctx, rt)
	if err != nil {
		return []finding{{check: "NATS", state: failed, result: err.Error(), next: adviceForNATS(err, natsUser(rt))}}
	}
	defer func() { _ = conn.Close() }() // nothing was written
	return append([]finding{
		{check: "NATS", state: good, result: "nats-server " + conn.ServerVersion() + " with JetStream"},
		{check: "NATS sync_interval", state: unchecked, result: "a server does not report it to clients", next: adviceForSync},
		checkStreams(ctx, rt, admin.New(conn)),
		natsClock(ctx, rt, conn),
	}, accountRows(ctx, rt, admin.New(conn))...)
}

// accountRows says which provider has another account than its workers had, and whether that is allowed now.
func accountRows(ctx context.Context, rt Runtime, conn *admin.Conn) (rows []finding) {
	if rt.role != config.RoleWorker {
		return nil
	}
	for _, name := range rt.Connectors.Names() {
		connector, _ := rt.Connectors.Get(name)
		row := finding{check: "account of " + name, state: unchecked}
		last, err := conn.LastAccount(ctx, name)
		switch {
		case err != nil:
			row.result, row.next = err.Error(), "create the streams first"
			rows = append(rows, row)
		case last.Sequence > 0 && last.Record.Account != connectors.AccountOf(connector):
			rows = append(rows, changedAccount(ctx, conn, row, events.AuditRecord{
				Provider: name, Account: connectors.AccountOf(connector), AccountBefore: last.Record.Account,
			}))
		}
	}
	if len(rows) == 0 {
		rows = []finding{{check: "accounts", state: good, result: "none has changed"}}
	}
	return rows
}

func changedAccount(ctx context.Context, conn *admin.Conn, row finding, r events.AuditRecord) finding {
	open, err := conn.MaybeSent(ctx, r.Provider)
	var refused *startError
	switch {
	case err != nil:
		row.state, row.result, row.next = failed, err.Error(), "try again"
	case len(open) > 0 && errors.As(refuseAccount(r, open), &refused):
		row.state, row.result, row.next = failed, refused.Error(), refused.next
	default:
		row.state, row.result = warned, fmt.Sprintf("changed from %q to %q; no payment that may have been sent is open", r.AccountBefore, r.Account)
		row.next = "stop all workers before one starts with the new account"
	}
	return row
}

// checkStreams shows all that differs from the definitions, a line each. An archive asks for its consumer only: its user may not
// ask for more.
func checkStreams(ctx context.Context, rt Runtime, conn *admin.Conn) finding {
	row, look := finding{check: "NATS streams", state: good, result: "as declared"}, conn.CheckStreams
	if rt.role == config.RoleArchive {
		row.check, look = "NATS consumer", conn.CheckArchive
	}
	differences, err := look(ctx)
	if err != nil {
		row.state, row.result, row.next = failed, err.Error(), "try again; a cluster may be electing leaders, or this user may lack the permission"
		return row
	}
	lines := make([]string, len(differences))
	for i, d := range differences {
		lines[i] = d.String()
	}
	if len(lines) > 0 {
		row.state, row.result, row.next = failed, strings.Join(lines, "\n"), adviceToApply
	}
	return row
}

// checkRedisServer connects for itself. Only workers use Redis.
func checkRedisServer(ctx context.Context, rt Runtime) []finding {
	if rt.role != config.RoleWorker {
		return nil
	}
	store, client, err := dialRedis(rt)
	if err != nil {
		return []finding{{check: "Redis", state: failed, result: err.Error(), next: "fix redis in the configuration"}}
	}
	defer func() { _ = client.Close() }() // nothing was written
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return askRedis(ctx, rt, store)
}

// askRedis looks at how Redis keeps claims. It is fatal when it forgets claims by itself; where it cannot be
// asked only if claims are required, because the log alone holds the promise.
func askRedis(ctx context.Context, rt Runtime, store *redis.Store) []finding {
	warnings, err := store.Check(ctx)
	var rows []finding
	for _, warning := range warnings {
		rows = append(rows, finding{check: "Redis", state: warned, result: warning, next: "set maxmemory-policy noeviction, appendonly yes, appendfsync always"})
	}
	switch {
	case err == nil && len(rows) == 0:
		return []finding{{check: "Redis", state: good, result: "noeviction, appendonly yes, appendfsync always"}}
	case err == nil:
		return rows
	}
	row := finding{check: "Redis", state: failed, result: err.Error(), next: "check redis in the configuration and that the server runs; until then workers continue with the log alone"}
	if errors.Is(err, redis.ErrEvicts) {
		row.next = "set maxmemory-policy noeviction in Redis: it would evict claims"
	}
	if rt.Config.Redis.Required && !errors.Is(err, redis.ErrEvicts) {
		row.next = "check redis in the configuration and that the server runs, or set redis.required: false"
	}
	if errors.Is(err, redis.ErrEvicts) || rt.Config.Redis.Required {
		row.fatal = fmt.Errorf("redis: %w", err)
	}
	return append(rows, row)
}

// next returns what is to be done about the end of a service, for its log.
func next(err error) []any {
	var start *startError
	if errors.As(err, &start) {
		return []any{"next", start.next}
	}
	return nil
}
