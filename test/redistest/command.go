package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// MustDo is [Server.Do] that fails the test on an error.
func (s *Server) MustDo(command string) string {
	s.t.Helper()
	reply, err := s.Do(command)
	if err != nil {
		s.t.Fatalf("%s: %v", command, err)
	}
	return reply
}

// Do sends one command, its words divided by blanks, on a connection of its own, and returns the answer
// when it is a simple text, a number or a bulk text.
func (s *Server) Do(command string) (string, error) { return s.doWithin(timeout, command) }

func (s *Server) doWithin(limit time.Duration, command string) (string, error) {
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		return "", err
	}
	return readReply(bufio.NewReader(conn))
}

func readReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	if len(line) < 3 {
		return "", fmt.Errorf("an answer of %q", line)
	}
	kind, rest := line[0], line[1:len(line)-2]
	switch kind {
	case '+', ':':
		return rest, nil
	case '-':
		return "", errors.New(rest)
	case '$':
		length, err := strconv.Atoi(rest)
		if err != nil || length < 0 {
			return "", err
		}
		text := make([]byte, length)
		_, err = io.ReadFull(r, text)
		return string(text), err
	}
	return "", fmt.Errorf("an answer of kind %q", kind)
}
