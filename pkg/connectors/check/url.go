package check

import (
	"net"
	"net/url"
	"strings"
)

// URL returns what is wrong with an absolute URL, for people and without the URL, or nothing. https is
// required except on a loopback host, where sandboxes and tests are.
func URL(text string, queryAllowed bool) (problem string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "must be an absolute URL"
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		return "must begin with https://"
	case u.User != nil || u.Fragment != "" || u.RawQuery != "" && !queryAllowed:
		return "must have no user, query or fragment"
	}
	return ""
}

// Loopback reports whether a host, without a port, is this machine. It asks no name server.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Endpoint returns where a valid URL leads, in one way of writing: the host in small letters, its port where it is not
// the scheme's own, and the path. Two texts that lead to the same place give the same.
func Endpoint(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	host, port := strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), u.Port()
	if port != "" && port != map[string]string{"https": "443", "http": "80"}[strings.ToLower(u.Scheme)] {
		host = net.JoinHostPort(host, port)
	}
	return host + strings.TrimRight(u.EscapedPath(), "/")
}
