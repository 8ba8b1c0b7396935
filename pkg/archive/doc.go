// Package archive copies the log of payments into a SQL database and answers questions about the many there: which payments
// are in doubt, which one has this provider's reference, what became of last month's payouts. It decides nothing.
//
// Every event is stored once, by its sequence in the log. A batch of events, the state of the payments after it and the
// position in the log are written in one transaction, and the batch is acknowledged only after it. So a crash at any moment
// costs a second delivery, and a database that was restored from an older copy reads again what it lacks. The archive keeps
// what the log forgets, until its own retention; what the log forgot before the archive read it is a gap, recorded and shown.
//
// The database is SQLite in a file or PostgreSQL. Times in it are nanoseconds since 1970 in UTC, 0 for none, and amounts are
// whole minor units; one that is not known has no currency.
package archive
