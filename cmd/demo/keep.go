package main

import (
	"context"
	"fmt"
	"io"
)

// keepUp shows how to use the running system and waits until it is to end.
func keepUp(ctx context.Context, s *stack, out io.Writer) {
	fmt.Fprintf(out, `The system is up. Ctrl-C ends it.

  ingress   %[1]s
  sandbox   %[2]s   (GET / explains its admin API and its faults)
  console   %[9]s   (signs in once)
  NATS      %[3]s
  logs      %[4]s

A deposit, and what the customer must do:

  curl -s %[1]s/v1/deposits -H 'Authorization: Bearer %[5]s' -H 'Content-Type: application/json' \
    -d '%[6]s'
  curl -s %[1]s/v1/payments/%[7]s/D-1 -H 'Authorization: Bearer %[5]s' -H 'Prefer: wait=10'

The customer pays, and the payment settles:

  curl -s -X POST %[2]s/admin/%[7]s/orders/D-1/pay -d '{}'
  curl -s %[1]s/v1/payments/%[7]s/D-1/events -H 'Authorization: Bearer %[5]s'

A payout whose reply the provider drops:

  curl -s %[1]s/v1/payouts -H 'Authorization: Bearer %[5]s' -H 'Content-Type: application/json' \
    -d '%[8]s'
  curl -s %[1]s/v1/payments/%[7]s/P-x-drop-1 -H 'Authorization: Bearer %[5]s' -H 'Prefer: wait=10'

Payments found in the archive, newest first:

  curl -s '%[1]s/v1/payments?provider=%[7]s&status=settled' -H 'Authorization: Bearer %[5]s'

What the provider's records say:

  curl -s %[2]s/admin/truth

A ledger that books the outcomes, in another terminal, into ledger.jsonl:

  go run ./examples/ledger --nats %[3]s --create
`, s.ingress, s.At.Sandbox, s.At.NATS[0], s.Dir, s.APIKey, deposit("D-1", "10000"), provider, payout("P-x-drop-1", "20000"), s.link())
	<-ctx.Done()
	fmt.Fprintln(out, "\nStopping.")
}
