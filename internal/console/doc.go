// Package console is the web page of operators: how everything stands, which payments need a person, and each payment's
// history. Pages are made here, as HTML; a small script only fetches them again when something changed.
//
// Everything that comes from outside, a customer's name as well as a provider's message, is text here and never HTML.
package console
