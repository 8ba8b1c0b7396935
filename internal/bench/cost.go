package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
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
func (s *system) spent() (c cost, err error) {
	var errs [4]error
	c.broker, errs[0] = processorTime(s.nats.Pid())
	c.redis, errs[1] = processorTime(s.redisOf.Pid())
	c.published, errs[2] = s.published()
	c.commands, errs[3] = s.commands()
	return c, errors.Join(errs[:]...)
}

// ticks a second of the times in /proc, on every Linux that Go runs on.
const ticks = 100

// processorTime is what a process has spent in user and system mode (proc(5), stat).
func processorTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), ") ") // behind the name, which can hold anything
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, fmt.Errorf("the times of process %d are not told", pid)
	}
	user, err := strconv.Atoi(fields[11])
	system, failed := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / ticks, errors.Join(err, failed)
}

// published is how many messages the broker was sent.
func (s *system) published() (float64, error) {
	response, err := http.Get(s.monitor + "/varz")
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	var told struct {
		InMsgs float64 `json:"in_msgs"`
	}
	return told.InMsgs, json.NewDecoder(response.Body).Decode(&told)
}

// commands is how many commands Redis was sent of those that the programs use.
func (s *system) commands() (total float64, err error) {
	conn, err := net.Dial("tcp", s.redis)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprint(conn, "INFO commandstats\r\nQUIT\r\n"); err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(conn)
	for lines.Scan() { // cmdstat_evalsha:calls=2,usec=…
		name, rest, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "cmdstat_"), ":calls=")
		calls, _, _ := strings.Cut(rest, ",")
		switch name {
		case "eval", "evalsha", "set":
			n, err := strconv.ParseFloat(calls, 64)
			if err != nil {
				return 0, err
			}
			total += n
		}
	}
	return total, lines.Err()
}
