package statistics_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/statistics"
	"payonce/pkg/queue"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
)

func reporting(t *testing.T) *jetstreamtest.Reported {
	t.Helper()
	t.Parallel()
	server := natstest.Start(t)
	jetstreamtest.Connect(t, server.URL(), jetstreamtest.Config())
	return jetstreamtest.Report(t, server.URL())
}

const (
	ofCommands = "{provider=acme stream=COMMANDS}"
)

// Parked commands and those in work are not ready; what waits is, from its first day on.
func TestLevelsOfTheQueue(t *testing.T) {
	r := reporting(t)
	jetstreamtest.Publish(t, r.Conn, jetstreamtest.Ref("o-1"))
	jetstreamtest.Publish(t, r.Conn, jetstreamtest.Ref("o-2"))
	r.Until(map[string]float64{ // no worker has made the consumer yet
		statistics.MetricReadyMessages + ofCommands: 2, statistics.MetricOldestReady + ofCommands: -1,
		statistics.MetricUnacknowledged + ofCommands: 0, statistics.MetricOldestUnfinished + ofCommands: -1,
	})
	release := make(chan struct{})
	stop := jetstreamtest.Consuming(t, r.Conn, 1, func(_ context.Context, m events.Message) queue.Verdict {
		if ref, _ := events.SubjectRef(m.Subject); ref.Order == "o-1" {
			return queue.ParkUntil(time.Now().Add(time.Hour))
		}
		<-release
		return queue.DeadLetter(events.DeadInvalid, "a test")
	})
	r.Until(map[string]float64{
		statistics.MetricReadyMessages + ofCommands: 0, statistics.MetricOldestReady + ofCommands: 0,
		statistics.MetricUnacknowledged + ofCommands: 1, statistics.MetricOldestUnfinished + ofCommands: -1,
		statistics.MetricInFlight + "{}": 1,
	})
	close(release)
	nc, err := nats.Connect(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, invented := range []string{"invented-1", "invented-2"} { // no series for each
		if _, err := nc.Request(events.DeadLetterSubject(events.StreamCommands, invented), nil, 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	r.Until(map[string]float64{
		statistics.MetricDeadLettersNow + "{provider=unknown stream=COMMANDS}": 2,
		statistics.MetricReadyMessages + ofCommands:                            0, statistics.MetricUnacknowledged + ofCommands: 0,
		statistics.MetricOldestUnfinished + ofCommands: 0, statistics.MetricDeadLettersNow + ofCommands: 1,
		statistics.MetricLevelsAge + "{}":                    -1,
		statistics.MetricStreamFill + "{stream=DEADLETTERS}": -1,
	})
	stop()
}
