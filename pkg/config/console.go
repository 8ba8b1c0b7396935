package config

import (
	"net/netip"
	"net/url"
	"slices"
	"time"

	"payonce/pkg/secret"
)

// Console is the web page of operators, which the program "console" serves.
type Console struct {
	// Listen is host:port. Something in front of it encrypts, unless it is for one machine.
	Listen string `yaml:"listen"`
	// BaseURL is where browsers find the console. Production wants https.
	BaseURL string `yaml:"base_url"`
	// Zone is the time zone in which times are shown, e.g. Asia/Seoul.
	Zone string `yaml:"zone"`
	// Users sign in by name and password, OIDC by the company's account, and Proxy by the header of a proxy.
	Users []ConsoleUser `yaml:"users"`
	OIDC  ConsoleOIDC   `yaml:"oidc"`
	Proxy ConsoleProxy  `yaml:"proxy"`
	// SessionIdle ends a session without requests, SessionLifetime each.
	SessionIdle     time.Duration `yaml:"session_idle"`
	SessionLifetime time.Duration `yaml:"session_lifetime"`
	// Links prints a link at the start that signs in once. It is for test environments.
	Links bool `yaml:"links"`
	// AdminListen is as that of the ingress.
	AdminListen string `yaml:"admin_listen"`
}

// ConsoleUser is a person with a password.
type ConsoleUser struct {
	Name string `yaml:"name"`
	// PasswordHash is of argon2id or bcrypt.
	PasswordHash secret.Value `yaml:"password_hash"`
	Roles        []string     `yaml:"roles"`
}

// ConsoleOIDC is an issuer of OpenID Connect; none without an Issuer.
type ConsoleOIDC struct {
	Issuer       string       `yaml:"issuer"`
	ClientID     string       `yaml:"client_id"`
	ClientSecret secret.Value `yaml:"client_secret"`
	// NameClaim holds the name that stands in the audit log, RolesClaim the groups of a person.
	NameClaim  string `yaml:"name_claim"`
	RolesClaim string `yaml:"roles_claim"`
	// GroupRoles are the roles of the console by group.
	GroupRoles map[string]string `yaml:"group_roles"`
}

// ConsoleProxy is a proxy that signs people in; none without a NameHeader.
type ConsoleProxy struct {
	NameHeader   string            `yaml:"name_header"`
	GroupsHeader string            `yaml:"groups_header"`
	Trusted      []netip.Prefix    `yaml:"trusted"`
	GroupRoles   map[string]string `yaml:"group_roles"`
}

// RoleConsole needs a way to sign in to the console.
const RoleConsole Role = "console"

// ConsoleRoles are what people may do in the console.
var ConsoleRoles = []string{"viewer", "operator", "approver", "unmask"}

func defaultConsole() Console {
	return Console{
		Listen: "127.0.0.1:8090", BaseURL: "http://127.0.0.1:8090", Zone: "UTC", SessionIdle: time.Hour, SessionLifetime: 12 * time.Hour,
		OIDC: ConsoleOIDC{NameClaim: "preferred_username", RolesClaim: "groups"},
	}
}

func (c Console) validate(p *problems, environment string, used bool) {
	p.checkAddress("console.listen", c.Listen, false)
	if c.AdminListen != "" {
		p.checkAddress("console.admin_listen", c.AdminListen, false)
	}
	at, err := url.Parse(c.BaseURL)
	rooted := err == nil && at.Host != "" && at.User == nil && (at.Path == "" || at.Path == "/") && at.RawQuery == "" && at.Fragment == ""
	p.check(rooted && (at.Scheme == "https" || at.Scheme == "http" && (environment == Test || loopback(at.Hostname()))), "console.base_url",
		"must be https://HOST without a path; http is for loopback and for test environments")
	_, err = time.LoadLocation(c.Zone)
	p.check(err == nil && c.Zone != "" && c.Zone != "Local", "console.zone", "must be a time zone like Asia/Seoul")
	p.positive("console.session_idle", c.SessionIdle)
	p.notShorter("console.session_lifetime", c.SessionLifetime, "console.session_idle", c.SessionIdle, "a session would end before it is idle")
	p.check(!c.Links || environment == Test, "console.links", "is for environment test only: who reads the log could sign in")
	p.check(!used || len(c.Users) > 0 || c.OIDC.Issuer != "" || c.Proxy.NameHeader != "" || c.Links || p.has("console"), "console",
		"needs users, oidc or proxy: no one could sign in")
	for i, user := range c.Users {
		key := index("console.users", i)
		p.check(user.Name != "", key+".name", "is missing")
		p.check(!user.PasswordHash.Empty() || p.has(key+".password_hash"), key+".password_hash", "is missing")
		p.check(len(user.Roles) > 0, key+".roles", "requires at least one role")
		for j, role := range user.Roles {
			p.oneOf(index(key+".roles", j), role, ConsoleRoles...)
		}
	}
	for section, roles := range map[string]map[string]string{"oidc": c.OIDC.GroupRoles, "proxy": c.Proxy.GroupRoles} {
		for group, role := range roles {
			p.check(slices.Contains(ConsoleRoles, role), "console."+section+".group_roles", "the role of %q must be one of viewer, operator, approver, unmask", group)
		}
	}
	for i, network := range c.Proxy.Trusted {
		p.check(network.Bits() != 0, index("console.proxy.trusted", i), "would trust everybody")
	}
}
