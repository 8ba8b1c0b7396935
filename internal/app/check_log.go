package app

import (
	"context"
	"fmt"
	"time"

	"payonce/pkg/config"
	"payonce/pkg/events/jetstream"
)

// checkLog compares the log with what workers have seen of it, without changing either.
func checkLog(ctx context.Context, rt Runtime) []finding {
	if rt.role != config.RoleWorker {
		return nil
	}
	row := finding{check: "log", state: unchecked, next: "fix NATS, its streams and Redis first"}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	conn, err := dialNATS(ctx, rt)
	if err != nil {
		row.result = err.Error()
		return []finding{row}
	}
	defer func() { _ = conn.Close() }() // nothing was written
	store, client, err := dialRedis(rt)
	if err != nil {
		row.result = err.Error()
		return []finding{row}
	}
	defer func() { _ = client.Close() }() // nothing was written
	now, err := conn.LogEnd(ctx)
	if err != nil {
		row.result = err.Error()
		return []finding{row}
	}
	accepted, err := conn.LogAccepted(ctx, now)
	if err != nil {
		row.result = err.Error()
		return []finding{row}
	}
	mark, err := store.Mark(ctx)
	switch {
	case err != nil:
		row.result = err.Error()
	case mark.Lost(now, accepted):
		row.state, row.next = failed, jetstream.NextLogLost
		row.result = fmt.Sprintf("%v: it was made at %s and ends at sequence %d; workers saw %d at %s of the one made at %s", jetstream.ErrLogLost,
			now.Log, now.Sequence, mark.Sequence, mark.At.Format(time.RFC3339), mark.Log)
	default:
		row.state, row.result, row.next = good, "complete", ""
	}
	return []finding{row}
}
