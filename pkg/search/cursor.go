package search

import (
	"encoding/base64"
	"encoding/binary"
	"time"
)

// Cursor is the last entry of a page.
type Cursor struct {
	OpenedAt time.Time
	First    uint64
}

// CursorOf returns the cursor after an entry.
func CursorOf(e Entry) Cursor { return Cursor{e.OpenedAt, e.First} }

// String returns the text of which [ParseCursor] makes the cursor again.
func (c Cursor) String() string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(c.OpenedAt.UnixNano()))
	binary.BigEndian.PutUint64(raw[8:], c.First)
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// ParseCursor reads a cursor. The error is [ErrCursor] for what isn't one.
func ParseCursor(text string) (Cursor, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != 16 {
		return Cursor{}, ErrCursor
	}
	return Cursor{time.Unix(0, int64(binary.BigEndian.Uint64(raw[:8]))).UTC(), binary.BigEndian.Uint64(raw[8:])}, nil
}

// After reports whether an entry comes after the cursor, which is: is older.
func (c Cursor) After(e Entry) bool {
	if e.OpenedAt.Equal(c.OpenedAt) {
		return e.First < c.First
	}
	return e.OpenedAt.Before(c.OpenedAt)
}
