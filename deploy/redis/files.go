// Package redis holds what the shipped user of Redis may do, so that programs and tests use the same line.
package redis

import _ "embed"

// Rules are the rights of the user "payonce", as redis-server reads them after "user payonce on >PASSWORD": our key
// patterns and the commands of our scripts. It can list no keys, delete none, read no configuration and administer nothing.
//
//go:embed payonce.acl
var Rules string
