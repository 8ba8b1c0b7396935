// Package endpoints sends the events of payments to the HTTP endpoints of upstreams, signed as Standard Webhooks says
// (https://www.standardwebhooks.com). It knows no broker: each endpoint's events come through a [Queue], which keeps those that
// an endpoint did not take.
package endpoints
