package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"payonce/internal/console"
	"payonce/internal/console/signin"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/events/jetstream/statistics"
	"payonce/pkg/payment"
	"payonce/pkg/search"
)

// Console is the service that shows operators how everything stands, in a browser.
func Console() Service {
	return Service{
		Name:    "console",
		Summary: "shows payments and how everything stands, in a browser",
		Role:    config.RoleConsole,
		Run:     observed(runConsole, func(cfg config.Config) string { return cfg.Console.AdminListen }),
	}
}

func runConsole(ctx context.Context, rt Runtime, ready func(string)) error {
	conn, err := connectWith(ctx, rt, tryLog)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	levels, err := statistics.New(conn, nil)
	if err != nil {
		return err
	}
	rt.measureFirst(ctx, conn)
	rt.health.becomes(conn.Ready)
	pages, end, err := newConsole(rt, conn, levels)
	if err != nil {
		return err
	}
	defer end()
	var network net.ListenConfig
	listener, err := network.Listen(ctx, "tcp", rt.Config.Console.Listen)
	if err != nil {
		return fmt.Errorf("console.listen: %w", err)
	}
	var background sync.WaitGroup
	defer background.Wait()
	asking, stop := context.WithCancel(ctx)
	defer stop()
	background.Go(func() {
		if err := rt.keepClock(asking, conn); err != nil {
			rt.Logger.Error("cannot measure NATS's clock", "error", err)
		}
	})
	if rt.Config.Console.Links {
		link, err := pages.Invite(signin.Person{Name: "test", Roles: signin.Roles()})
		if err != nil {
			_ = listener.Close()
			return err
		}
		rt.Logger.Warn("this link signs in once, within ten minutes", "link", link)
	}
	server := &http.Server{
		Handler: pages, ReadHeaderTimeout: consoleRead, ReadTimeout: consoleRead, WriteTimeout: consoleWrite, IdleTimeout: consoleIdle,
		MaxHeaderBytes: 32 << 10,
	}
	server.RegisterOnShutdown(pages.Close) // live pages would hold it up
	ready("listening on " + listener.Addr().String())
	return serve(ctx, rt, server, listener)
}

// What a browser may take to send a request and to take an answer, and how long a connection may stay unused.
const (
	consoleRead  = 10 * time.Second
	consoleWrite = time.Minute
	consoleIdle  = 2 * time.Minute
)

// newConsole makes the pages. The caller calls end.
func newConsole(rt Runtime, conn *jetstream.Conn, levels *statistics.Reporter) (pages *console.Console, end func(), err error) {
	cfg := rt.Config
	zone, err := time.LoadLocation(cfg.Console.Zone)
	if err != nil {
		return nil, nil, fmt.Errorf("console.zone: %w", err)
	}
	people, err := signInOptions(rt)
	if err != nil {
		return nil, nil, err
	}
	log := admin.New(conn)
	o := console.Options{
		SignIn: people, Zone: zone, Logger: rt.Logger, Now: rt.Now, Log: log, Last: log, Queue: log, Records: log, Changes: log,
		Status: reporter{conn, levels, StatusProviders(cfg, rt.Connectors), rt.Now, CountedBy(cfg)}, Search: search.Log{Source: conn, Events: logEvents},
	}
	if cfg.Environment != config.Production {
		o.Environment = cfg.Environment
	}
	closeArchive := func() {}
	if cfg.Archive.Configured() {
		archived := &openedArchive{place: ArchivePlace(cfg, true)}
		o.Search, o.Archive, closeArchive = archived, archived, archived.close
	}
	for _, p := range StatusProviders(cfg, rt.Connectors) {
		o.Providers = append(o.Providers, console.Provider{ProviderConfig: p, Settings: cfg.ProviderSummary(p.Name)})
	}
	if pages, err = console.New(o); err != nil {
		closeArchive()
		return nil, nil, fmt.Errorf("console: %w", err)
	}
	return pages, func() { pages.Close(); closeArchive() }, nil
}

// History returns what the archive has of a payment.
func (s *openedArchive) History(ctx context.Context, ref payment.Ref) ([]events.Record, error) {
	store, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	return store.History(ctx, ref)
}

// signInOptions are the configured ways to sign in. The console's own page is added later, so that the rest is checked there.
func signInOptions(rt Runtime) (signin.Options, error) {
	c := rt.Config.Console
	base, err := url.Parse(c.BaseURL)
	if err != nil {
		return signin.Options{}, errors.New("console.base_url: must be a URL")
	}
	o := signin.Options{BaseURL: base, Idle: c.SessionIdle, Lifetime: c.SessionLifetime, Links: c.Links, Logger: rt.Logger}
	for _, user := range c.Users {
		u := signin.User{Name: user.Name, PasswordHash: user.PasswordHash}
		for _, role := range user.Roles {
			u.Roles = append(u.Roles, signin.Role(role))
		}
		o.Users = append(o.Users, u)
	}
	if c.OIDC.Issuer != "" {
		o.OIDC = &signin.OIDC{
			Issuer: c.OIDC.Issuer, ClientID: c.OIDC.ClientID, ClientSecret: c.OIDC.ClientSecret, NameClaim: c.OIDC.NameClaim, RolesClaim: c.OIDC.RolesClaim,
			Roles: groupRoles(c.OIDC.GroupRoles),
		}
	}
	if c.Proxy.NameHeader != "" {
		o.Proxy = &signin.Proxy{NameHeader: c.Proxy.NameHeader, RolesHeader: c.Proxy.GroupsHeader, Trusted: c.Proxy.Trusted, Roles: groupRoles(c.Proxy.GroupRoles)}
	}
	return o, nil
}

func groupRoles(configured map[string]string) map[string]signin.Role {
	roles := map[string]signin.Role{}
	for group, role := range configured {
		roles[group] = signin.Role(role)
	}
	return roles
}
