// Notifier sends signed webhooks about payments to the endpoints of upstreams. Run it with --help.
package main

import (
	"os"

	"payonce/internal/app"
)

func main() { os.Exit(app.Main(app.Notifier(), os.Args[1:], os.Stdout, os.Stderr)) }
