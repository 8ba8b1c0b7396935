package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"payonce/test/testenv"
)

// cost is what payments cost, in processor time and in messages. It says more than a rate on a machine that
// others use too.
type cost struct {
	worker, broker, redis time.Duration // of processor time
	published             float64       // messages to the broker: events, acknowledgements, requests
	commands              float64       // to Redis, those within scripts left out
}

func (c cost) minus(d cost) cost {
	return cost{c.worker - d.worker, c.broker - d.broker, c.redis - d.redis, c.published - d.published, c.commands - d.commands}
}

// of divides by a number of payments.
func (c cost) of(n int) cost {
	return cost{c.worker / time.Duration(n), c.broker / time.Duration(n), c.redis / time.Duration(n), c.published / float64(n), c.commands / float64(n)}
}

// spent is what the broker and Redis have spent since they were started.
func (s *system) spent() cost {
	var broker time.Duration
	for _, server := range s.nats {
		broker += processorTime(s.t, server.Pid())
	}
	return cost{broker: broker, redis: processorTime(s.t, s.redis.Pid()), published: s.published(), commands: s.commands()}
}

// ticks a second of the times in /proc, on every Linux that Go runs on.
const ticks = 100

// processorTime is what a process has spent in user and system mode (proc(5), stat).
func processorTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	testenv.Must(t, err)
	_, after, _ := strings.Cut(string(text), ") ") // behind the name, which can hold anything
	fields := strings.Fields(after)
	if len(fields) < 13 {
		t.Fatalf("the times of process %d are not told", pid)
	}
	user, err := strconv.Atoi(fields[11])
	system, failed := strconv.Atoi(fields[12])
	testenv.Must(t, errors.Join(err, failed))
	return time.Duration(user+system) * time.Second / ticks
}

// published is how many messages the broker was sent, those among its servers included.
func (s *system) published() (total float64) {
	for _, monitor := range s.monitors {
		response, err := http.Get(monitor + "/varz")
		testenv.Must(s.t, err)
		var told struct {
			InMsgs float64 `json:"in_msgs"`
		}
		err = json.NewDecoder(response.Body).Decode(&told)
		testenv.Must(s.t, errors.Join(err, response.Body.Close()))
		total += told.InMsgs
	}
	return total
}

// commands is how many commands Redis was sent of those that the programs use.
func (s *system) commands() (total float64) {
	for line := range strings.Lines(s.redis.MustDo("INFO commandstats")) { // cmdstat_evalsha:calls=2,usec=…
		name, rest, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
		calls, _, _ := strings.Cut(rest, ",")
		switch name {
		case "eval", "evalsha", "set":
			n, err := strconv.ParseFloat(calls, 64)
			testenv.Must(s.t, err)
			total += n
		}
	}
	return total
}
