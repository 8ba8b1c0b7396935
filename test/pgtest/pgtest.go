// Package pgtest runs real PostgreSQL servers for tests, on the loopback and with files in a folder of their own. It knows no
// PostgreSQL client.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"payonce/test/freeport"
)

// Server is a PostgreSQL server whose user "postgres" needs no password.
type Server struct {
	programs, dir, port string
	credential          *syscall.Credential
}

// Start runs a server and stops it when the test ends. Without PostgreSQL the test is skipped, or fails when the environment
// has REQUIRE_SERVICES=1.
func Start(t testing.TB) *Server {
	t.Helper()
	Require(t)
	s, err := New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Remove)
	return s
}

// Require leaves a test out where PostgreSQL is not installed, or fails it if REQUIRE_SERVICES is set.
func Require(t testing.TB) {
	t.Helper()
	if _, err := programs(); err == nil {
		return
	}
	const how = "PostgreSQL is not installed (apt-get install postgresql, brew install postgresql)"
	if os.Getenv("REQUIRE_SERVICES") != "" {
		t.Fatal(how)
	}
	t.Skip(how)
}

// programs returns the folder with initdb and pg_ctl. Debian doesn't put it into PATH.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is right
	if len(found) == 0 {
		return "", errors.New("PostgreSQL is not installed")
	}
	return filepath.Dir(slices.Max(found)), nil
}

// New runs a server. The caller calls Remove.
func New(ctx context.Context) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	s := &Server{programs: bin}
	folder := ""
	if os.Getuid() == 0 {
		folder = "/tmp" // another user can't enter every folder that root has for temporary files
	}
	if s.dir, err = os.MkdirTemp(folder, "pgtest"); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		s.Remove()
		return nil, err
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		if err := s.becomeOther(); err != nil {
			return err
		}
	}
	address, err := freeport.Address(ctx)
	if err != nil {
		return err
	}
	if _, s.port, err = net.SplitHostPort(address); err != nil {
		return err
	}
	if err := s.run("initdb", "-D", s.data(), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"); err != nil {
		return err
	}
	return s.Restart()
}

// becomeOther makes the server run as the user postgres, or as the one without rights.
func (s *Server) becomeOther() error {
	other, err := user.Lookup("postgres")
	if err != nil {
		if other, err = user.Lookup("nobody"); err != nil {
			return err
		}
	}
	uid, err := strconv.ParseUint(other.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(other.Gid, 10, 32)
	if err != nil {
		return err
	}
	s.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.dir, int(uid), int(gid))
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) run(program string, args ...string) error {
	command := exec.Command(filepath.Join(s.programs, program), args...)
	command.Dir = s.dir
	command.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential}
	log, err := os.OpenFile(filepath.Join(s.dir, "pgtest.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the program has ended
	command.Stdout, command.Stderr = log, log
	if err := command.Run(); err != nil {
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%s: %w\n%s", program, err, text)
	}
	return nil
}

// Restart starts a server that was stopped, on the same port and files, and waits until it answers.
func (s *Server) Restart() error {
	options := fmt.Sprintf("-p %s -h 127.0.0.1 -k %s -c fsync=off -c full_page_writes=off", s.port, s.dir)
	return s.run("pg_ctl", "start", "-w", "-t", "60", "-D", s.data(), "-l", filepath.Join(s.dir, "server.log"), "-o", options)
}

// Stop stops the server at once, as a crash does.
func (s *Server) Stop() error {
	return s.run("pg_ctl", "stop", "-m", "immediate", "-w", "-D", s.data())
}

// Remove stops the server and deletes its files.
func (s *Server) Remove() {
	_ = s.Stop() // it need not run
	_ = os.RemoveAll(s.dir)
}

// URL is where the server answers.
func (s *Server) URL() string {
	return "postgres://postgres@" + strings.Join([]string{"127.0.0.1", s.port}, ":") + "/postgres?sslmode=disable"
}
