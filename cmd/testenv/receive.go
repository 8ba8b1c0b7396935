package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"payonce/test/testmerchant"
)

const (
	receiveTimeout = 10 * time.Second // of a request, and of the end
	idleTimeout    = time.Minute
)

func receiveCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "receive", Short: "Be the endpoint of a shop: take signed webhooks at /payonce, and show at /received what came",
		Example: "  testenv receive --listen :8092 --secret-file secrets/endpoints/shop.secret --tls-cert server.pem --tls-key server.key",
		Args:    cobra.NoArgs,
	}
	listen := c.Flags().String("listen", "127.0.0.1:8092", "`ADDRESS` to serve on")
	secret := c.Flags().String("secret-file", "secrets/endpoints/shop.secret", "`FILE` with the secret of the webhooks")
	cert := c.Flags().String("tls-cert", "", "certificate `FILE`")
	key := c.Flags().String("tls-key", "", "key `FILE` of the certificate")
	for _, flag := range []string{"tls-cert", "tls-key"} {
		_ = c.MarkFlagRequired(flag) // it exists
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		text, err := os.ReadFile(*secret)
		if err != nil {
			return err
		}
		receiver, err := testmerchant.NewReceiver(strings.TrimSpace(string(text)))
		if err != nil {
			return err
		}
		server := &http.Server{Addr: *listen, Handler: receiver, ReadTimeout: receiveTimeout, WriteTimeout: receiveTimeout, IdleTimeout: idleTimeout}
		if _, err := fmt.Fprintln(c.OutOrStdout(), "taking webhooks at", *listen); err != nil {
			return err
		}
		failed := make(chan error, 1)
		go func() { failed <- server.ListenAndServeTLS(*cert, *key) }()
		select {
		case err := <-failed:
			return err
		case <-c.Context().Done():
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), receiveTimeout)
		defer cancel()
		return server.Shutdown(ctx)
	}
	return c
}
