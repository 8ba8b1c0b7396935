// Package check holds what all connectors check in the same way: the settings of an account, with all
// problems at once, and a command, by a form that also describes what is needed.
package check
