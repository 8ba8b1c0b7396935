package ecommpay_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/connectortest"
)

// A refusal that does not name the payment, on a connection that carried another request, can be a second answer to that
// one. One that names it is its own.
func TestARefusalOnAUsedConnection(t *testing.T) {
	for body, want := range map[string][2]connectors.Class{
		`{"status":"error","code":"2003","message":"m"}`:                                                      {connectors.Rejected, connectors.InDoubt},
		fmt.Sprintf(`{"status":"error","code":"2003","message":"m","project_id":200,"payment_id":%q}`, order): {connectors.Rejected, connectors.Rejected},
		`{"status":"error","code":"3028","message":"m"}`:                                                      {connectors.NotSent, connectors.InDoubt},
		`{"status":"error","code":"303","message":"m"}`:                                                       {connectors.Misconfigured, connectors.InDoubt},
	} {
		var n atomic.Int64
		connections := map[string]bool{}
		g := connectortest.NewGateway(t, func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			connections[r.RemoteAddr] = true
			connectortest.Answer(400, body)(w, r)
		})
		c := connect(t, settings(g.URL))
		for i, class := range want {
			_, err := c.Submit(connectortest.Context(t), payout())
			e := connectortest.Classified(t, err)
			if len(connections) > 1 {
				t.Fatal("the second request had a connection of its own")
			}
			if e.Class != class {
				t.Errorf("%s, request %d: %v, want %v", body, i+1, e.Class, class)
			}
			if class != want[0] && (e.Claimed != want[0] || e.Refused != (want[0] == connectors.Rejected)) {
				t.Errorf("%s: claimed %v, refused %v", body, e.Claimed, e.Refused)
			}
		}
	}
}
