package telemetry

import (
	"context"
	"log/slog"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
)

// Says is the attribute with the text of a library; the message of such a line is ours.
const Says = "says"

// Library returns a handler for the lines of a library that are warnings or worse: each gets this message. Of the library's
// attributes only errors are kept.
func Library(next slog.Handler, message string) slog.Handler { return library{next, message} }

type library struct {
	next    slog.Handler
	message string
}

// logrWarning is the level of logr's V(1), at which OpenTelemetry warns. Its more verbose levels are dropped.
const logrWarning = slog.LevelInfo - 1

func (l library) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= logrWarning && l.next.Enabled(ctx, max(level, slog.LevelWarn))
}

func (l library) Handle(ctx context.Context, line slog.Record) error {
	ours := slog.NewRecord(line.Time, max(line.Level, slog.LevelWarn), l.message, line.PC)
	ours.AddAttrs(slog.String(Says, line.Message))
	line.Attrs(func(a slog.Attr) bool {
		if err, is := a.Value.Any().(error); is {
			ours.AddAttrs(slog.Any("error", err))
		}
		return true
	})
	return l.next.Handle(ctx, ours)
}

func (l library) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l library) WithGroup(string) slog.Handler      { return l }

// report makes OpenTelemetry log to the logger, also where none of it was started: its default is stderr.
func report(logger *slog.Logger) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("telemetry is not delivered", "error", err) }))
	otel.SetLogger(logr.FromSlogHandler(Library(logger.Handler(), "OpenTelemetry")))
}
