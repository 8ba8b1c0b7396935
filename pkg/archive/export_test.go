package archive

import (
	"fmt"
	"strings"
	"testing"
)

// Exec damages an archive.
func Exec(t testing.TB, s *Store, statement string) {
	t.Helper()
	if _, err := s.db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// Forget has the store count everything for charts again.
func Forget(s *Store) { s.cells.known = nil }

// Dump returns all texts of an archive.
func Dump(t testing.TB, s *Store) string {
	t.Helper()
	var all strings.Builder
	for _, table := range columnsOf {
		rows, err := s.db.QueryContext(t.Context(), "SELECT "+table[1]+" FROM "+table[0])
		if err != nil {
			t.Fatal(err)
		}
		columns, _ := rows.Columns()
		for rows.Next() {
			values, into := make([][]byte, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				_, _ = fmt.Fprintf(&all, "%s ", v)
			}
		}
		_ = rows.Close()
	}
	return all.String()
}
