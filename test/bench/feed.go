package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/bench/baseline"
	"payonce/test/testenv"
)

// feed puts commands into the queue of a program.
type feed interface {
	// publish does not wait until the command is stored.
	publish(order string)
	// end waits until all are.
	end()
}

// feed returns the feed of a program.
func (s *system) feed(of program, options string) feed {
	if !of.fed {
		return s
	}
	cmd := exec.Command(of.build(s.t), append(of.arguments(s, options), "--feed")...)
	cmd.Stderr = os.Stderr
	lines, err := cmd.StdinPipe()
	testenv.Must(s.t, err)
	testenv.Must(s.t, cmd.Start())
	return &lineFeed{s, cmd, lines, bufio.NewWriter(lines)}
}

// patiently publishes on a synced disk that is slower than the loop, and while a cluster elects a leader.
var patiently = []njs.PublishOpt{njs.WithStallWait(time.Minute), njs.WithRetryAttempts(100), njs.WithRetryWait(100 * time.Millisecond)}

// deposit is the command of an order.
func deposit(order string) payment.Command {
	return payment.Command{
		Ref: payment.Ref{Provider: baseline.Provider, Order: order}, Operation: payment.Deposit, Amount: payment.KRW(10_000),
		Customer: payment.Customer{ID: "C1", Name: "홍길동"},
	}
}

// command is what is published, and its id.
func command(t testing.TB, cmd payment.Command) (out events.Outgoing, id string) {
	cmd.RequestedAt, id = time.Now().UTC(), uuid.NewString()
	out, err := events.EncodeCommand(cmd, id)
	testenv.Must(t, err)
	return out, id
}

// publish puts a command into the stream of commands.
func (s *system) publish(order string) { s.send(deposit(order)) }

func (s *system) send(cmd payment.Command) {
	out, id := command(s.t, cmd)
	msg := &nats.Msg{Subject: out.Subject, Header: nats.Header(out.Header), Data: out.Data}
	msg.Header.Set("_watermill_message_uuid", id) // Watermill's name of a message
	_, err := s.js.PublishMsgAsync(msg, patiently...)
	testenv.Must(s.t, err)
}

func (s *system) end() {
	select {
	case <-s.js.PublishAsyncComplete():
	case <-s.t.Context().Done():
		s.t.Fatal(context.Cause(s.t.Context()))
	}
}

// lineFeed writes commands to a program that puts them into its queue.
type lineFeed struct {
	s     *system
	cmd   *exec.Cmd
	pipe  io.WriteCloser
	lines *bufio.Writer
}

func (f *lineFeed) publish(order string) {
	out, _ := command(f.s.t, deposit(order))
	_, err := fmt.Fprintf(f.lines, "%s\n", out.Data)
	testenv.Must(f.s.t, err)
	testenv.Must(f.s.t, f.lines.Flush())
}

func (f *lineFeed) end() {
	testenv.Must(f.s.t, f.pipe.Close())
	testenv.Must(f.s.t, f.cmd.Wait())
}
