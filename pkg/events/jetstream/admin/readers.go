package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"payonce/pkg/events"
)

// Reader is a consumer that reads the log of payments: a ledger, a notifier, the archive.
type Reader struct {
	Name        string
	Description string
	Filters     []string // subjects; empty for all
	// Durable says that the broker remembers how far it read. One that isn't ends with its process.
	Durable bool
	Paused  bool
	// Waiting is how many events it has not been given yet, Unacknowledged how many it was given and did not acknowledge, and
	// Redelivered how many of these were given again.
	Waiting, Unacknowledged, Redelivered int
	Deliveries                           uint64 // since it was made, repeated ones included
	// Acknowledged is the sequence up to which it acknowledged all, and AcknowledgedAt when it last did so; zero for never.
	Acknowledged   uint64
	AcknowledgedAt time.Time
	DeliveredAt    time.Time // the last time; zero for never
	MadeAt         time.Time
}

// maxReaders bounds how many readers are returned.
const maxReaders = 500

// Readers returns the consumers of the log: the durable ones first, by name.
func (c *Conn) Readers(ctx context.Context) ([]Reader, error) {
	stream, err := c.broker.Stream(ctx, events.StreamPayments)
	if err != nil {
		return nil, fmt.Errorf("consumers of %s: %w", events.StreamPayments, err)
	}
	readers := []Reader{}
	list := stream.ListConsumers(ctx)
	for info := range list.Info() {
		if len(readers) == maxReaders {
			break
		}
		r := Reader{
			Name: info.Name, Description: info.Config.Description, Filters: info.Config.FilterSubjects, Durable: info.Config.Durable != "", Paused: info.Paused,
			Waiting: int(info.NumPending), Unacknowledged: info.NumAckPending, Redelivered: info.NumRedelivered, Deliveries: info.Delivered.Consumer,
			Acknowledged: info.AckFloor.Stream, MadeAt: info.Created.UTC(),
		}
		if info.Config.FilterSubject != "" {
			r.Filters = []string{info.Config.FilterSubject}
		}
		for at, of := range map[*time.Time]*time.Time{&r.AcknowledgedAt: info.AckFloor.Last, &r.DeliveredAt: info.Delivered.Last} {
			if of != nil {
				*at = of.UTC()
			}
		}
		readers = append(readers, r)
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("consumers of %s: %w", events.StreamPayments, err)
	}
	slices.SortFunc(readers, func(a, b Reader) int {
		if a.Durable != b.Durable {
			if a.Durable {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return readers, nil
}
