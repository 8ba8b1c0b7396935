package contracts

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"payonce/internal/app"
	"payonce/pkg/sandbox"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// timeout bounds waits for what must happen. The machine can be slow.
const timeout = 3 * time.Minute

// stack is an ingress and a worker on a real nats-server, in front of the providers' sandbox.
type stack struct {
	ingress, apiKey string
	sandbox         *sandbox.Sandbox
}

func startStack(t *testing.T) *stack {
	t.Helper()
	s := testenv.NewSystem(t, t.TempDir(), testenv.Addresses{NATS: []string{natstest.Start(t).URL()}, Redis: miniredis.RunT(t).Addr()}, nil)
	logs := testenv.NewLogs(t)
	for _, service := range []app.Service{app.Ingress(), app.Worker()} {
		rt, err := app.Load(service, s.Config, logs)
		s.Must(err)
		testenv.Serve(t, func(ctx context.Context, ready func(string)) error { return service.Run(ctx, rt, ready) })
	}
	return &stack{"http://" + s.At.Listen, s.APIKey, s.Sandbox}
}
