// Ingress takes commands and webhooks by HTTP. Run it with --help.
package main

import (
	"os"

	"payonce/internal/app"
)

func main() { os.Exit(app.Main(app.Ingress(), os.Args[1:], os.Stdout, os.Stderr)) }
