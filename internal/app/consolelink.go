package app

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"

	"payonce/internal/console"
	"payonce/internal/console/signin"
)

// LinkPath is where a console of a test environment makes another link that signs in, on the operators' listener: POST without a body,
// from the console's own machine. The answer is the link.
const LinkPath = "/sign-in-link"

// offerLinks logs a link that signs in once, and makes others on request.
func (rt Runtime) offerLinks(pages *console.Console) error {
	invite := func() (string, error) { return pages.Invite(signin.Person{Name: "test", Roles: signin.Roles()}) }
	link, err := invite()
	if err != nil {
		return err
	}
	facts := []any{"link", link}
	if command := rt.linkCommand(); command != "" {
		facts = append(facts, "next", "for another link: "+command)
		rt.admin.HandleFunc("POST "+LinkPath, answerLink(invite))
	}
	rt.Logger.Warn("this link signs in once, within ten minutes", facts...)
	return nil
}

// linkCommand is what a person runs for another link; empty where there are none.
func (rt Runtime) linkCommand() string {
	_, port, err := net.SplitHostPort(rt.Config.Console.AdminListen)
	if !rt.Config.Console.Links || rt.admin == nil || err != nil || port == "0" {
		return ""
	}
	path, err := filepath.Abs(rt.path)
	if err != nil {
		path = rt.path
	}
	return cmp.Or(rt.Payctl, "payctl") + " console link --config " + path
}

// answerLink answers programs on this machine only, and no browser: a page of another site must not get a link.
func answerLink(invite func() (string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !from.Addr().Unmap().IsLoopback() || r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
			http.Error(w, "Ask from the console's own machine, with payctl console link.", http.StatusForbidden)
			return
		}
		link, err := invite()
		if err != nil {
			http.Error(w, "No link can be made.", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		_, _ = fmt.Fprintln(w, link)
	}
}
