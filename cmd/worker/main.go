// Worker executes payments from the queue. Run it with --help.
package main

import (
	"os"

	"payonce/internal/app"
)

func main() { os.Exit(app.Main(app.Worker(), os.Args[1:], os.Stdout, os.Stderr)) }
