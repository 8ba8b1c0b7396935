// Package docstest holds tests that keep pages of docs true which no other package can check: the files,
// tests and settings that they name exist.
package docstest
