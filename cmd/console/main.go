// Console shows operators how everything stands, in a browser. Run it with --help.
package main

import (
	"os"

	"payonce/internal/app"
)

func main() { os.Exit(app.Main(app.Console(), os.Args[1:], os.Stdout, os.Stderr)) }
