package httpcall_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
)

const (
	isolated      = "PAYONCE_TEST_ISOLATED"
	clientAddress = "198.18.9.1"
	serverAddress = "198.18.9.2"
)

// TestSwallowedPackets plays a network that swallows what a worker sends over an open connection: two network
// namespaces with a wire between them, and a wrong entry in the table of neighbours. It needs root, or a
// system that lets users make namespaces.
func TestSwallowedPackets(t *testing.T) {
	if os.Getenv(isolated) != "" {
		t.Run("control", swallowedControl)
		t.Run("given up", swallowedAbandoned)
		t.Run("frozen", swallowedFrozen)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSwallowedPackets$", "-test.v")
	cmd.Env = append(os.Environ(), isolated+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if id := os.Getuid(); id != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	probe := exec.Command("ip", "link", "show", "lo")
	probe.SysProcAttr = cmd.SysProcAttr
	if out, err := probe.CombinedOutput(); err != nil {
		if os.Getenv("REQUIRE_SERVICES") != "" {
			t.Fatalf("no network namespace with iproute2: %v\n%s", err, out)
		}
		t.Skipf("no network namespace with iproute2: %v\n%s", err, out)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// wire is the network of one test.
type wire struct {
	t        *testing.T
	listener net.Listener
	arrived  chan *http.Request
	mac      string // of the server
	ended    chan struct{}
	done     sync.WaitGroup
}

// newWire puts a server into a namespace of its own. It answers the first request.
func newWire(t *testing.T) *wire {
	t.Helper()
	w := &wire{t: t, arrived: make(chan *http.Request, 8), ended: make(chan struct{})}
	made := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and its namespace with the listener
		made <- w.listen()
	}()
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	w.run("addr", "add", clientAddress+"/30", "dev", "near")
	w.run("link", "set", "near", "up")
	w.done.Go(w.serve)
	t.Cleanup(func() {
		w.run("link", "del", "near")
		_ = w.listener.Close()
		close(w.ended)
		w.done.Wait()
	})
	return w
}

func (w *wire) listen() error {
	near, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer func() { _ = near.Close() }()
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		return err
	}
	// The commands run in the namespace of this thread; the other end of the wire goes to that of the process.
	for _, args := range [][]string{
		{"link", "add", "far", "type", "veth", "peer", "name", "near", "netns", fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), near.Fd())},
		{"addr", "add", serverAddress + "/30", "dev", "far"},
		{"link", "set", "far", "up"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	far, err := net.InterfaceByName("far")
	if err != nil {
		return err
	}
	w.mac = far.HardwareAddr.String()
	w.listener, err = net.Listen("tcp", serverAddress+":0")
	return err
}

func (w *wire) serve() {
	for {
		conn, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.done.Go(func() {
			<-w.ended
			_ = conn.Close()
		})
		w.done.Go(func() {
			in := bufio.NewReader(conn)
			for n := 1; ; n++ {
				r, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				w.arrived <- r
				if n == 1 {
					write(conn, okReply)
				}
			}
		})
	}
}

func (w *wire) url() string { return "http://" + w.listener.Addr().String() + "/pay" }

func (w *wire) run(args ...string) {
	w.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		w.t.Fatalf("ip %v: %v\n%s", args, err, out)
	}
}

// swallow lets everything that the client sends go nowhere; heal ends that.
func (w *wire) swallow() { w.neighbour("02:00:00:00:00:99") }
func (w *wire) heal()    { w.neighbour(w.mac) }

func (w *wire) neighbour(mac string) {
	w.t.Helper()
	w.run("neigh", "replace", serverAddress, "lladdr", mac, "dev", "near", "nud", "permanent")
}

// kept returns the lines of the kernel about connections of the client that hold something to deliver.
func (w *wire) kept() (lines []string) {
	w.t.Helper()
	text, err := os.ReadFile("/proc/thread-self/net/tcp")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n")[1:] {
		if f := strings.Fields(line); len(f) > 4 && !strings.HasPrefix(f[4], "00000000:") {
			lines = append(lines, line)
		}
	}
	return lines
}

// until waits for something that the kernel does by itself.
func (w *wire) until(what string, done func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(timeout); !done(); {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: not in %s; the kernel keeps %v", what, timeout, w.kept())
		}
		<-time.After(20 * time.Millisecond)
	}
}

// swallowedControl shows that the wire does what the other tests believe: what an ordinary connection has written
// is kept after its end and arrives when the network is back.
func swallowedControl(t *testing.T) {
	w := newWire(t)
	conn, err := net.Dial("tcp", w.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w.swallow()
	write(conn, "POST /pay HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	_ = conn.Close()
	if len(w.kept()) != 1 {
		t.Errorf("the kernel keeps %v, want what was written", w.kept())
	}
	w.heal()
	<-w.arrived
	// The kernel keeps it until it knows that it arrived, and would for long where the wire was cut before that: the next test sees it.
	w.until("the kernel knows that it arrived", func() bool { return len(w.kept()) == 0 })
}

// swallowedAbandoned: once the call has returned, nothing is left that could arrive later.
func swallowedAbandoned(t *testing.T) {
	w := newWire(t)
	client := newClient(t, httpcall.Options{})
	if _, err := httpcall.Send(testContext(t), client, post(w.url())); err != nil {
		t.Fatal(err)
	}
	<-w.arrived
	w.swallow()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := httpcall.Send(ctx, client, post(w.url()))
	mustFail(t, err, connectors.InDoubt, payment.ReasonNoAnswer)
	if kept := w.kept(); len(kept) != 0 {
		t.Errorf("the request was given up, and the kernel goes on to deliver it: %v", kept)
	}
}

// swallowedFrozen: a process that stands still gives nothing up by itself. The kernel does at the call's deadline.
func swallowedFrozen(t *testing.T) {
	w := newWire(t)
	cmd, again := sender(t, w.url())
	<-w.arrived
	w.swallow()
	again()
	w.until("the request is written", func() bool { return len(w.kept()) == 1 })
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	w.until("the kernel gives up", func() bool { return len(w.kept()) == 0 })
	w.heal()
	select {
	case <-w.arrived:
		t.Error("the request arrived")
	default:
	}
}
