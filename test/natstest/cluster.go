package natstest

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"payonce/test/freeport"
)

// NewCluster returns three servers that make a cluster once they are started with Restart. Two of them
// are enough for it to work. They are stopped when the test ends.
func NewCluster(t testing.TB) []*Server {
	t.Helper()
	const size = 3
	var routes []*url.URL
	nodes := make([]*Server, size)
	for i := range nodes {
		client, route := freePort(t), freePort(t)
		routes = append(routes, &url.URL{Scheme: "nats", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(route))})
		nodes[i] = &Server{t: t, options: server.Options{
			ServerName: fmt.Sprintf("natstest-%d", i+1), Host: "127.0.0.1", Port: client,
			JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
			Cluster: server.ClusterOpts{Name: "natstest", Host: "127.0.0.1", Port: route},
		}}
		t.Cleanup(nodes[i].Stop)
	}
	for _, node := range nodes {
		node.options.Routes = routes
	}
	return nodes
}

// Use puts the streams of a server that was not started yet on a disk that can be full.
func (s *Server) Use(disk *Disk) { s.options.StoreDir = disk.Dir }

// Name is the server's name, as a cluster calls its leaders.
func (s *Server) Name() string { return s.options.ServerName }

// Clients is how many connections it has.
func (s *Server) Clients() int { return s.instance.NumClients() }

func freePort(t testing.TB) int {
	t.Helper()
	address, err := freeport.Address(t.Context())
	if err != nil {
		t.Fatalf("natstest: %v", err)
	}
	_, port, _ := net.SplitHostPort(address)
	number, _ := strconv.Atoi(port)
	return number
}
