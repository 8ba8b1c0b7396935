package freeport

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
)

// TestMain is the other process of TestNoTwoProcessesGetTheSame, which takes ports until its input ends.
func TestMain(m *testing.M) {
	if os.Getenv("TAKE_PORTS") != "1" {
		os.Exit(m.Run())
	}
	for range each {
		address, err := Address(context.Background())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(address)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// each is how many ports a process takes: several blocks.
const each = 250

// Packages are tested side by side, and each takes ports for servers that run later.
func TestNoTwoProcessesGetTheSame(t *testing.T) {
	taken := map[string]bool{}
	for range 4 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env, cmd.Stderr = append(os.Environ(), "TAKE_PORTS=1"), os.Stderr
		open, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = open.Close(); _ = cmd.Wait() })
		lines := bufio.NewScanner(out)
		for range each {
			if !lines.Scan() || taken[lines.Text()] {
				t.Fatalf("%q was given before: %t", lines.Text(), taken[lines.Text()])
			}
			taken[lines.Text()] = true
		}
	}
}

func TestAddress(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		address, err := Address(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp", address)
		if err != nil || seen[address] {
			t.Fatalf("%s: given before %t, %v", address, seen[address], err)
		}
		seen[address] = true
		t.Cleanup(func() { _ = listener.Close() })
		port := listener.Addr().(*net.TCPAddr).Port
		if lock, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port-port%block)); err == nil {
			_ = lock.Close()
			t.Fatalf("another process can take the block of %s", address)
		}
	}
}
