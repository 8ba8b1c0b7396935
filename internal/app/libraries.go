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

// logLibraries sends what libraries log to our log, in the same format and under a message of ours. The client of NATS logs
// nothing by itself, and [telemetry.Start] does the same for OpenTelemetry.
func logLibraries(logger *slog.Logger) {
	slog.SetDefault(logger)
	log.SetFlags(0)
	log.SetOutput(standardLines{logger}) // after SetDefault, which sets its own
	goredis.SetLogger(redisLines{logger})
}

// standardLines takes what is written with package log, as net/http's client does. When a provider sends more than its answer,
// that line would show what was sent, with the personal data in it: it is cut off.
type standardLines struct{ *slog.Logger }

func (l standardLines) Write(line []byte) (int, error) {
	said, _, _ := bytes.Cut(line, []byte(" starting with "))
	l.Warn("reported by a library", telemetry.Says, string(bytes.TrimSpace(said)))
	return len(line), nil
}

// redisLines takes what go-redis logs. That repeats what our own lines say of a failed call, so it is for debugging.
type redisLines struct{ *slog.Logger }

func (l redisLines) Printf(ctx context.Context, format string, values ...any) {
	l.DebugContext(ctx, "Redis client", telemetry.Says, fmt.Sprintf(format, values...))
}

// serverErrors takes what an HTTP server reports outside of handlers, e.g. a failed TLS handshake.
func serverErrors(logger *slog.Logger) *log.Logger {
	return slog.NewLogLogger(telemetry.Library(logger.Handler(), "HTTP server"), slog.LevelWarn)
}
