// Package client is for services that ask for payments over HTTP: it sends commands to an ingress, waits for what becomes of
// them, and reads the events that a ledger receives.
//
// The order number is the idempotency key. A command that got no answer is sent again, byte for byte the same, until the ingress
// has answered or the caller's context ends; it is one payment however often it was sent. So choose the order number before the
// first try, store it, and after a crash send the same command again.
//
//	c, err := client.New("http://127.0.0.1:8080", os.Getenv("PAYONCE_API_KEY"))
//	…
//	_, err = c.Deposit(ctx, client.Command{
//		Ref:    client.Ref{Provider: "teemopay-kr", Order: "D-1001"},
//		Amount: client.KRW(10000), Customer: client.Customer{Name: "홍길동"},
//	})
//	…
//	p, err := c.Wait(ctx, client.Ref{Provider: "teemopay-kr", Order: "D-1001"}, client.Ended)
package client
