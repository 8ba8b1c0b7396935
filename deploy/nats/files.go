// Package nats holds the shipped configuration of nats-server, so that payctl can write it next to the
// credentials that it makes.
package nats

import "embed"

// Files are the configuration files and the template of third-parties.conf.
//
//go:embed *.conf *.tmpl
var Files embed.FS
