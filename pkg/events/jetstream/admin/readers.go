package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"payonce/pkg/events"
)

// maxReaders bounds how many readers are returned.
const maxReaders = 500

// Readers returns the consumers of the log: the durable ones first, by name.
func (c *Conn) Readers(ctx context.Context) ([]events.Reader, error) {
	stream, err := c.broker.Stream(ctx, events.StreamPayments)
	if err != nil {
		return nil, fmt.Errorf("consumers of %s: %w", events.StreamPayments, err)
	}
	readers := []events.Reader{}
	list := stream.ListConsumers(ctx)
	for info := range list.Info() {
		if len(readers) == maxReaders {
			break
		}
		r := events.Reader{
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
	slices.SortFunc(readers, func(a, b events.Reader) int {
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
