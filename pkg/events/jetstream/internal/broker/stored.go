package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
)

// Stored is a message where it is stored.
type Stored struct {
	Stream  string
	Message events.Message
}

// ID names the message and one thing done with it, the same at every delivery. The time tells streams
// apart that were deleted and made again.
func (d Stored) ID(action string) string {
	return fmt.Sprintf("%s-%s-%d-%d", action, d.Stream, d.Message.Sequence, d.Message.StoredAt.UnixNano())
}

// LastCommand returns the last message of COMMANDS under a subject, or [events.ErrNotQueued].
func (c *Client) LastCommand(ctx context.Context, filter string) (events.Message, error) {
	stream, err := c.Stream(ctx, events.StreamCommands)
	if err != nil {
		return events.Message{}, err
	}
	raw, err := stream.GetLastMsgForSubject(ctx, filter)
	if errors.Is(err, njs.ErrMsgNotFound) {
		return events.Message{}, events.ErrNotQueued
	}
	if err != nil {
		return events.Message{}, err
	}
	return MessageOf(raw), nil
}

// MessageOf returns what was read from a stream as a message.
func MessageOf(raw *njs.RawStreamMsg) events.Message {
	return events.Message{
		Subject: raw.Subject, Header: events.Header(raw.Header), Data: raw.Data,
		Sequence: raw.Sequence, StoredAt: raw.Time,
	}
}

// Remove deletes one message. removed is false when it was gone already.
func (c *Client) Remove(ctx context.Context, name string, sequence uint64) (removed bool, err error) {
	return c.delete(ctx, name, sequence, njs.Stream.DeleteMsg)
}

// Overwrite is Remove, and the server overwrites the message's bytes on the disk.
func (c *Client) Overwrite(ctx context.Context, name string, sequence uint64) (removed bool, err error) {
	return c.delete(ctx, name, sequence, njs.Stream.SecureDeleteMsg)
}

func (c *Client) delete(ctx context.Context, name string, sequence uint64, do func(njs.Stream, context.Context, uint64) error) (removed bool, err error) {
	stream, err := c.Stream(ctx, name)
	if err != nil {
		return false, err
	}
	if err := do(stream, ctx, sequence); err != nil {
		if _, getErr := stream.GetMsg(ctx, sequence); errors.Is(getErr, njs.ErrMsgNotFound) {
			return false, nil
		}
		return false, fmt.Errorf("delete sequence %d: %w", sequence, err)
	}
	return true, nil
}

// Messages are those of a stream after a sequence whose subject a filter matches, oldest first. An error is the last.
func (c *Client) Messages(ctx context.Context, name, filter string, after uint64) iter.Seq2[*njs.RawStreamMsg, error] {
	return func(yield func(*njs.RawStreamMsg, error) bool) {
		stream, err := c.Stream(ctx, name)
		for more := true; more; {
			var raw *njs.RawStreamMsg
			if err == nil {
				raw, err = stream.GetMsg(ctx, after+1, njs.WithGetMsgSubject(filter))
			}
			if errors.Is(err, njs.ErrMsgNotFound) {
				return
			}
			if more = yield(raw, err) && err == nil; more {
				after = raw.Sequence
			}
		}
	}
}

// Subjects returns one page of the subjects in a stream that a filter matches, and how many there are. The client library would
// read all pages.
func (c *Client) Subjects(ctx context.Context, stream, filter string, offset int) (map[string]uint64, int, error) {
	request, err := json.Marshal(map[string]any{"subjects_filter": filter, "offset": offset})
	if err != nil {
		return nil, 0, fmt.Errorf("subjects of "+stream+": %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, FlushTimeout)
	defer cancel()
	answer, err := c.NATS.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+stream, request)
	if err != nil {
		return nil, 0, fmt.Errorf("subjects of "+stream+": %w", err)
	}
	var info struct {
		Total int           `json:"total"`
		Error *njs.APIError `json:"error"`
		State struct {
			Subjects map[string]uint64 `json:"subjects"`
		} `json:"state"`
	}
	if err := json.Unmarshal(answer.Data, &info); err != nil {
		return nil, 0, fmt.Errorf("subjects of "+stream+": %w", err)
	}
	if info.Error != nil {
		return nil, 0, fmt.Errorf("subjects of "+stream+": %w", info.Error)
	}
	return info.State.Subjects, info.Total, nil
}

// ScheduledFor returns when the broker will deliver a parked message; zero when that cannot be read.
func ScheduledFor(m events.Message) time.Time {
	at, found := strings.CutPrefix(m.Header.Get(njs.ScheduleHeader), "@at ")
	if !found {
		return time.Time{}
	}
	due, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return time.Time{}
	}
	return due
}

// Reschedule returns the parked message m with another time, to be stored only if m is still there.
func Reschedule(m events.Message, at time.Time, id string) *nats.Msg {
	msg := &nats.Msg{Subject: m.Subject, Header: CopyHeader(m.Header), Data: m.Data}
	msg.Header.Set(njs.ScheduleHeader, "@at "+WholeSecond(at).Format(time.RFC3339))
	msg.Header.Set(njs.ScheduleTargetHeader, m.Header.Get(njs.ScheduleTargetHeader))
	msg.Header.Set(njs.ExpectedLastSubjSeqHeader, strconv.FormatUint(m.Sequence, 10))
	msg.Header.Set(HeaderMessageID, id)
	return msg
}

// WholeSecond rounds up: schedules have whole seconds, and cut down they would fire too early.
func WholeSecond(at time.Time) time.Time {
	at = at.UTC()
	if whole := at.Truncate(time.Second); !whole.Equal(at) {
		return whole.Add(time.Second)
	}
	return at
}
