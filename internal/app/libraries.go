package app

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"log/slog"

	goredis "github.com/redis/go-redis/v9"

	"payonce/internal/telemetry"
)

// logLibraries lets what libraries say go where our own lines go, in the same format and below a message of ours. NATS's client
// says nothing by itself, and OpenTelemetry is [telemetry.Start]'s.
func logLibraries(logger *slog.Logger) {
	slog.SetDefault(logger)
	log.SetFlags(0)
	log.SetOutput(standardLines{logger}) // after SetDefault, which sets its own
	goredis.SetLogger(redisLines{logger})
}

// standardLines takes what is written with package log: net/http's client does. Of a provider that sends more than its answer
// it would show what was sent, with the personal data in it.
type standardLines struct{ *slog.Logger }

func (l standardLines) Write(line []byte) (int, error) {
	said, _, _ := bytes.Cut(line, []byte(" starting with "))
	l.Warn("reported by a library", telemetry.Says, string(bytes.TrimSpace(said)))
	return len(line), nil
}

// redisLines takes what go-redis says. It repeats what our own lines say of a call that failed, so it is for
// those who look closely.
type redisLines struct{ *slog.Logger }

func (l redisLines) Printf(ctx context.Context, format string, values ...any) {
	l.DebugContext(ctx, "Redis client", telemetry.Says, fmt.Sprintf(format, values...))
}

// serverErrors takes what an HTTP server reports that no handler of ours sees, e.g. a TLS handshake that failed.
func serverErrors(logger *slog.Logger) *log.Logger {
	return slog.NewLogLogger(telemetry.Library(logger.Handler(), "HTTP server"), slog.LevelWarn)
}
