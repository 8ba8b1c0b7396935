// Package redis holds what the shipped user of Redis may do, and the TLS of the servers, so that programs and tests use the same
// lines.
package redis

import "embed"

// Rules are the rights of the user "payonce", as redis-server reads them after "user payonce on >PASSWORD": our key
// patterns and the commands of our scripts. It can list no keys, delete none, read no configuration and administer nothing.
//
//go:embed payonce.acl
var Rules string

// Files are tls.conf, to be included by a server, and sentinel-tls.conf, by a Sentinel.
//
//go:embed tls.conf sentinel-tls.conf
var Files embed.FS
