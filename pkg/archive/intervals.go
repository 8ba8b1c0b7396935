package archive

import (
	"context"
	"database/sql"
	"slices"
)

// Gap is a run of sequences up to the position that the archive doesn't have.
type Gap struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	// Forgotten says that the log doesn't have them any more: they are lost to the archive.
	Forgotten bool `json:"forgotten"`
}

// gaps are in order and don't touch, except where one is forgotten and the next is not.
type gaps []Gap

// without returns the gaps when a sequence is there.
func (g gaps) without(sequence uint64) gaps {
	i := slices.IndexFunc(g, func(one Gap) bool { return one.First <= sequence && sequence <= one.Last })
	if i < 0 {
		return g
	}
	var parts gaps
	if g[i].First < sequence {
		parts = append(parts, Gap{g[i].First, sequence - 1, g[i].Forgotten})
	}
	if sequence < g[i].Last {
		parts = append(parts, Gap{sequence + 1, g[i].Last, g[i].Forgotten})
	}
	return slices.Concat(g[:i], parts, g[i+1:])
}

// forgotten marks what is before the first sequence that the log still has.
func (g gaps) forgotten(first uint64) gaps {
	var marked gaps
	for _, one := range g {
		switch {
		case one.Forgotten || one.First >= first:
			marked = append(marked, one)
		case one.Last < first:
			marked = append(marked, Gap{one.First, one.Last, true})
		default:
			marked = append(marked, Gap{one.First, first - 1, true}, Gap{first, one.Last, false})
		}
	}
	return marked
}

// count returns how many sequences are missing: forgotten, and not yet read.
func (g gaps) count() (forgotten, open uint64) {
	for _, one := range g {
		if one.Forgotten {
			forgotten += one.Last - one.First + 1
		} else {
			open += one.Last - one.First + 1
		}
	}
	return forgotten, open
}

func (s *Store) readGaps(ctx context.Context, in runner) (found gaps, err error) {
	err = s.each(ctx, in, func(rows *sql.Rows) error {
		var one Gap
		var forgotten int
		err := rows.Scan(&one.First, &one.Last, &forgotten)
		one.Forgotten = forgotten != 0
		found = append(found, one)
		return err
	}, "SELECT first, last, forgotten FROM gaps ORDER BY first")
	return found, err
}

func (s *Store) writeGaps(ctx context.Context, tx *sql.Tx, before, after gaps) error {
	if slices.Equal(before, after) {
		return nil
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM gaps"); err != nil {
		return err
	}
	rows := make([][]any, len(after))
	for i, one := range after {
		rows[i] = []any{int64(one.First), int64(one.Last), number(one.Forgotten)}
	}
	return s.insert(ctx, tx, "gaps (first, last, forgotten)", "", rows)
}
