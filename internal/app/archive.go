package app

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"payonce/pkg/archive"
	"payonce/pkg/config"
	"payonce/pkg/events/jetstream"
)

// Archive is the service that copies the log into a database. Payments don't wait for it.
func Archive() Service {
	return Service{
		Name:    "archive",
		Summary: "copies every event of the log into SQLite or PostgreSQL, to search and to keep",
		Role:    config.RoleArchive,
		Run:     observed(runArchive, func(cfg config.Config) string { return cfg.Archive.AdminListen }),
	}
}

func runArchive(ctx context.Context, rt Runtime, ready func(string)) error {
	tuneGC(archiveLimit)
	if err := yieldProcessor(); err != nil {
		rt.Logger.Warn("cannot lower the archive's priority; on a busy machine it takes processor time from workers", "error", err)
	}
	conn, err := connectWith(ctx, rt, tryLog)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	a, err := archive.New(archive.Options{
		Log: conn, Batch: rt.Config.Archive.Batch, Gather: archive.DefaultGather, Retention: rt.Config.Archive.Retention, Now: rt.Now, Logger: rt.Logger,
		Follow: func(ctx context.Context) (archive.Follower, error) {
			return conn.FollowLog(ctx, rt.Config.Archive.Consumer)
		},
		Open: func(ctx context.Context) (*archive.Store, error) {
			return archive.Open(ctx, ArchiveLocation(rt.Config, false))
		},
	})
	if err != nil {
		return err
	}
	rt.health.becomes(func() error {
		if err := conn.Ready(); err != nil {
			return err
		}
		return a.Ready()
	})
	rt.measureFirst(ctx, conn)
	beats, err := backgroundHeartbeats(rt, conn)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return rt.keepClock(ctx, conn) })
	group.Go(func() error { return beats.run(ctx) })
	group.Go(func() error {
		if err := a.Run(ctx); err != nil {
			return &startError{err, archive.NextOtherLog}
		}
		return nil
	})
	ready("copying the log")
	return group.Wait()
}

// tryLog connects. An archive may not make streams: it waits until an operator or another service makes it.
func tryLog(ctx context.Context, rt Runtime) (*jetstream.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	conn, err := dialNATS(ctx, rt)
	if err != nil {
		return nil, &startError{err, adviceForNATS(err, natsUser(rt))}
	}
	return conn, nil
}

// ArchiveLocation says where the archive's database is.
func ArchiveLocation(cfg config.Config, readOnly bool) archive.Location {
	return archive.Location{File: cfg.Archive.File, URL: cfg.Archive.URL, Schema: cfg.Archive.Schema, ReadOnly: readOnly}
}

// checkArchive opens the archive's database for reading and says how far it has read.
func checkArchive(ctx context.Context, rt Runtime) []finding {
	if !rt.Config.Archive.Configured() || rt.role == config.RoleWorker || rt.role == config.RoleNotifier {
		return nil
	}
	row := finding{check: "archive", state: failed, next: "see that the database runs, and that archive.file or archive.url names it"}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	store, err := archive.Open(ctx, ArchiveLocation(rt.Config, true))
	if err != nil {
		row.result = err.Error()
		if rt.role == config.RoleArchive {
			row.next += "; where it is new, the archive program makes its tables"
		}
		return []finding{row}
	}
	defer func() { _ = store.Close() }() // nothing was written
	at, err := store.Position(ctx)
	if err != nil {
		row.result = err.Error()
		return []finding{row}
	}
	row.state, row.next, row.result = good, "", "nothing was read yet"
	if at.Sequence > 0 {
		row.result = "has read up to an event of " + at.StoredAt.Format(time.RFC3339)
	}
	return []finding{row}
}
