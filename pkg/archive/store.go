package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"payonce/pkg/secret"
)

// DefaultSchema is the PostgreSQL schema of the tables.
const DefaultSchema = "archive"

// Location says where the database is: exactly one of File and URL is set.
type Location struct {
	File   string       // of SQLite; its folder must exist
	URL    secret.Value // of PostgreSQL, e.g. "postgres://archive:…@db.example/payonce?sslmode=verify-full"
	Schema string       // in PostgreSQL; empty takes DefaultSchema
	// ReadOnly opens it for questions only.
	ReadOnly bool
}

// Store is the database. All methods are safe for concurrent use, also by several processes.
type Store struct {
	db       *sql.DB
	location Location
	postgres bool
	prepared sync.Map // statements, by their text
	cells    cells
}

const (
	// busyTimeout is how long a writer of SQLite waits for another one.
	busyTimeout = 10 * time.Second
	// connectTimeout bounds a connection to PostgreSQL, where its URL names no other time.
	connectTimeout = 5 * time.Second
	maxConnections = 8
)

// Open opens the database and, unless it is for reading only, makes its tables or brings them up to date. The database must
// answer. Errors hold neither user nor password.
func Open(ctx context.Context, location Location) (*Store, error) {
	s, err := open(location)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		_ = s.db.Close()
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	return s, nil
}

func open(location Location) (*Store, error) {
	if (location.File == "") == location.URL.Empty() {
		return nil, errors.New("open the archive: give the file of SQLite or the URL of PostgreSQL, and not both")
	}
	s := &Store{location: location, postgres: location.File == ""}
	if s.postgres {
		if s.location.Schema == "" {
			s.location.Schema = DefaultSchema
		}
		config, err := postgresConfig(s.location)
		if err != nil {
			return nil, err
		}
		s.db = stdlib.OpenDB(*config)
	} else {
		db, err := sql.Open("sqlite", sqliteName(location))
		if err != nil {
			return nil, fmt.Errorf("open the archive: %w", err)
		}
		s.db = db
	}
	s.db.SetMaxOpenConns(maxConnections)
	s.db.SetMaxIdleConns(maxConnections)
	return s, nil
}

// sqliteName names a file for SQLite. A transaction takes the lock for writing at once, so that it can't fail in its middle
// because another one wrote.
func sqliteName(location Location) string {
	values := url.Values{"_pragma": {
		"busy_timeout(" + strconv.Itoa(int(busyTimeout.Milliseconds())) + ")", "journal_mode(WAL)", "synchronous(FULL)", "cache_size(-65536)",
	}}
	if location.ReadOnly {
		values["mode"] = []string{"rw"} // a reader of WAL writes beside the file, never into it
		values["_pragma"] = append(values["_pragma"][:1:1], "query_only(1)", "cache_size(-65536)")
	} else {
		values["_txlock"] = []string{"immediate"}
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: location.File}).EscapedPath(), RawQuery: values.Encode()}).String()
}

func postgresConfig(location Location) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(location.URL.Reveal())
	if err != nil {
		return nil, errors.New("open the archive: the URL isn't one of PostgreSQL, e.g. postgres://archive@db.example/payonce") // the cause could show it
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	config.RuntimeParams["search_path"] = pgx.Identifier{location.Schema}.Sanitize()
	// A plan for any value would take the wrong index for a rare one.
	config.RuntimeParams["plan_cache_mode"] = "force_custom_plan"
	config.RuntimeParams["application_name"] = "payonce-archive"
	if location.ReadOnly {
		config.RuntimeParams["default_transaction_read_only"] = "on"
	}
	return config, nil
}

func (s *Store) prepare(ctx context.Context) error {
	if err := s.db.PingContext(ctx); err != nil {
		return s.hide(err)
	}
	if s.location.ReadOnly {
		_, err := s.Position(ctx)
		return err
	}
	return s.migrate(ctx)
}

// Close closes the database.
func (s *Store) Close() error {
	s.prepared.Range(func(_, statement any) bool { _ = statement.(*sql.Stmt).Close(); return true }) // the database says what is wrong
	return s.db.Close()
}

// hide returns why PostgreSQL can't be reached without the user and the database that its driver names.
func (s *Store) hide(err error) error {
	var connect *pgconn.ConnectError
	if !errors.As(err, &connect) {
		return err
	}
	text := errors.Unwrap(connect).Error()
	if _, cause, found := strings.Cut(text, ": "); found && strings.Contains(text, "@") {
		text = cause
	}
	return errors.New("PostgreSQL can't be reached: " + text)
}

// bind writes a statement's placeholders as the database wants them.
func (s *Store) bind(statement string) string {
	if !s.postgres {
		return statement
	}
	var b strings.Builder
	n := 0
	for _, c := range []byte(statement) {
		if c != '?' {
			b.WriteByte(c)
			continue
		}
		n++
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}

// runner is a database or a transaction.
type runner interface {
	ExecContext(ctx context.Context, statement string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, statement string, args ...any) *sql.Row
}

// write runs do in a transaction that no other writer of the archive is in at the same time. When it fails, the next one gets a
// new connection: a session of PostgreSQL that began while the database was read-only stays read-only.
func (s *Store) write(ctx context.Context, do func(tx *sql.Tx) error) error {
	err := s.transact(ctx, do)
	if err != nil && s.postgres {
		s.db.SetMaxIdleConns(0)
		s.db.SetMaxIdleConns(maxConnections)
	}
	return err
}

func (s *Store) transact(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.hide(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing after the commit
	if s.postgres {
		var one int
		if err := tx.QueryRowContext(ctx, "SELECT 1 FROM position FOR UPDATE").Scan(&one); err != nil {
			return err
		}
	}
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// each calls scan for every row of a question.
func (s *Store) each(ctx context.Context, in runner, scan func(*sql.Rows) error, statement string, args ...any) error {
	rows, err := in.QueryContext(ctx, s.bind(statement), args...)
	if err != nil {
		return s.hide(err)
	}
	defer func() { _ = rows.Close() }() // after Err there is nothing to learn from it
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// list returns "(?,?,…)".
func list(n int) string { return "(" + strings.TrimSuffix(strings.Repeat("?,", n), ",") + ")" }

// chunk is how many rows are written by one statement. Statements of so many are prepared once.
const chunk = 50

// insert writes rows into a table.
func (s *Store) insert(ctx context.Context, in runner, into, conflict string, rows [][]any) error {
	for len(rows) > 0 {
		n := min(len(rows), chunk)
		args := make([]any, 0, n*len(rows[0]))
		for _, row := range rows[:n] {
			args = append(args, row...)
		}
		values := strings.TrimSuffix(strings.Repeat(list(len(rows[0]))+",", n), ",")
		if err := s.exec(ctx, in, "INSERT INTO "+into+" VALUES "+values+" "+conflict, n == chunk, args); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// exec carries out a statement. One that is used often is prepared once for each connection.
func (s *Store) exec(ctx context.Context, in runner, statement string, often bool, args []any) error {
	tx, inTx := in.(*sql.Tx)
	if !often || !inTx || s.postgres { // whose driver remembers statements
		_, err := in.ExecContext(ctx, s.bind(statement), args...)
		return err
	}
	prepared, known := s.prepared.Load(statement)
	if !known {
		made, err := s.db.PrepareContext(ctx, statement)
		if err != nil {
			return err
		}
		if prepared, known = s.prepared.LoadOrStore(statement, made); known {
			_ = made.Close() // another was faster
		}
	}
	_, err := tx.StmtContext(ctx, prepared.(*sql.Stmt)).ExecContext(ctx, args...)
	return err
}
