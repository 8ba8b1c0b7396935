// Package privacy holds a test of docs/personal-data.md: payments of every provider are played with marked personal data,
// from the command to the outcome, through the real services, and every stream and every Redis key is searched for it.
package privacy
