// Archive copies the log of payments into a database. Run it with --help.
package main

import (
	"os"

	"payonce/internal/app"
)

func main() { os.Exit(app.Main(app.Archive(), os.Args[1:], os.Stdout, os.Stderr)) }
