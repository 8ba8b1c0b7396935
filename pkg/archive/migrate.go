package archive

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// migrationTries is how often migrations are tried where another process makes the same ones at the same moment.
const migrationTries = 10

// migrate makes the tables or brings them up to date. Any number of processes may do so at once: PostgreSQL has a lock for it,
// and in SQLite one of them wins and the others find its work.
func (s *Store) migrate(ctx context.Context) error {
	err := s.migrateOnce(ctx)
	for try := 1; err != nil && try < migrationTries && ctx.Err() == nil; try++ {
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(try) * 50 * time.Millisecond):
		}
		err = s.migrateOnce(ctx)
	}
	if err != nil {
		return fmt.Errorf("make its tables: %w", err)
	}
	return nil
}

func (s *Store) migrateOnce(ctx context.Context) error {
	dialect, folder, options := goose.DialectSQLite3, "migrations/sqlite", []goose.ProviderOption{}
	if s.postgres {
		dialect, folder = goose.DialectPostgres, "migrations/postgres"
		if err := s.makeSchema(ctx); err != nil {
			return err
		}
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(dialect, s.db, files, append(options, goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// makeSchema makes the schema where it is missing. A user who may not make one needs one that exists.
func (s *Store) makeSchema(ctx context.Context) error {
	var exists bool
	err := s.db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)", s.location.Schema).Scan(&exists)
	if err == nil && !exists {
		_, err = s.db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{s.location.Schema}.Sanitize())
	}
	return err
}
