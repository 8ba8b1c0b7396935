// Package deploytest tests what is shipped to run payonce: real servers are started from the files under
// deploy, every user tries what it may and must not do, and every file is searched for what is not safe.
package deploytest
