// Package check holds what all connectors check in the same way: the settings of an account, with all
// problems at once, and a command, with the first field that the provider would refuse.
package check
