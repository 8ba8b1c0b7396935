package payctl

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Admit is admit.
var Admit = admit

// PageSize is pageSize.
const PageSize = pageSize

// Paths names every command, as one would type it.
func Paths() []string {
	var paths []string
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		paths = append(paths, c.CommandPath())
		for _, child := range c.Commands() {
			walk(child)
		}
	}
	walk(rootCommand(Env{}))
	return paths
}

// Leaves names the commands that do something.
func Leaves() []string {
	all := Paths()
	return slices.DeleteFunc(slices.Clone(all), func(path string) bool {
		return slices.ContainsFunc(all, func(other string) bool { return strings.HasPrefix(other, path+" ") })
	})
}

// HowToGoOn is howToGoOn.
var HowToGoOn = howToGoOn
