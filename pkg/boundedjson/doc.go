// Package boundedjson reads JSON from a sender whose signature or key was not checked yet. The work and the
// memory grow with the length of the text and with nothing else: there are limits for nesting, values, names and the
// paths to values, and reading stops at the first of them that is passed, at the first name that occurs twice in an
// object and at the first byte that is not JSON.
//
// It is stricter than encoding/json, which takes the last of two equal names, ignores the case of names and replaces
// what is not UTF-8, so that what is verified and what is read could be two things.
package boundedjson
