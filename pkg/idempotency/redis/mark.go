package redis

import (
	"context"
	_ "embed" // the script
	"fmt"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"payonce/pkg/events"
)

//go:embed raise.lua
var raiseSource string

var raiseScript = goredis.NewScript(raiseSource)

// markKey is the key of the mark of the log. It has no braces, so it is no claim.
func (s *Store) markKey() string { return s.prefix + ":log" }

// Raise remembers how far the log is seen now, for all workers, unless it has lost what was seen before
// ([events.LogMark.Lost]); ok is false then. It returns the mark that is kept. It may be repeated.
func (s *Store) Raise(ctx context.Context, now events.LogMark, accepted time.Time) (kept events.LogMark, ok bool, err error) {
	reply, err := raiseScript.Run(ctx, s.client, []string{s.markKey()}, now.Log, now.Sequence, microseconds(now.At), microseconds(accepted)).Slice()
	if err == nil && len(reply) != 4 {
		err = fmt.Errorf("the script answered %v", reply)
	}
	if err == nil {
		kept, err = readMark(reply[1:])
	}
	if err != nil {
		return events.LogMark{}, false, fmt.Errorf("redis: raise the mark of the log: %w", err)
	}
	return kept, reply[0] == int64(1), nil
}

// Mark returns how far the log was seen; zero when it is not known.
func (s *Store) Mark(ctx context.Context) (events.LogMark, error) {
	fields, err := s.client.HMGet(ctx, s.markKey(), "log", "sequence", "at").Result()
	if err == nil && fields[0] == nil {
		return events.LogMark{}, nil
	}
	var mark events.LogMark
	if err == nil {
		mark, err = readMark(fields)
	}
	if err != nil {
		return events.LogMark{}, fmt.Errorf("redis: mark of the log: %w", err)
	}
	return mark, nil
}

func microseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// readMark reads the three texts of a mark.
func readMark(fields []any) (events.LogMark, error) {
	texts := make([]string, 3)
	for i := range texts {
		text, ok := fields[i].(string)
		if !ok {
			return events.LogMark{}, fmt.Errorf("%v is not a mark", fields)
		}
		texts[i] = text
	}
	sequence, err := strconv.ParseUint(texts[1], 10, 64)
	at, errAt := strconv.ParseInt(texts[2], 10, 64)
	if err != nil || errAt != nil {
		return events.LogMark{}, fmt.Errorf("%q is not a mark", texts)
	}
	return events.LogMark{Log: texts[0], Sequence: sequence, At: time.UnixMicro(at).UTC()}, nil
}
