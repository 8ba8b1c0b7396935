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

	"github.com/google/uuid"

	"payonce/internal/console"
	"payonce/internal/console/signin"
	"payonce/internal/statements"
	"payonce/pkg/config"
	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/events/jetstream/statistics"
	"payonce/pkg/operator"
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
		if err := rt.offerLinks(pages); err != nil {
			_ = listener.Close()
			return err
		}
	}
	server := &http.Server{
		Handler: pages, ReadHeaderTimeout: consoleRead, ReadTimeout: consoleRead, WriteTimeout: consoleWrite, IdleTimeout: consoleIdle,
		MaxHeaderBytes: 32 << 10, ErrorLog: serverErrors(rt.Logger),
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
		SignIn: people, LinkCommand: rt.linkCommand(), Zone: zone, Logger: rt.Logger, Now: rt.Now, Log: log, Last: log, Queue: log, Records: log, Changes: log, About: log, Readers: log,
		TraceURL: cfg.Console.TraceURL,
		Search:   search.Log{Source: conn, Events: logEvents},
	}
	o.Approvals = operator.Approvals{Above: cfg.Approvals.Limits(), Expires: cfg.Approvals.Expires, Accounts: cfg.NATS.Accounts, Requests: log}
	report := newReporter(rt, conn, levels)
	if len(o.Approvals.Above) > 0 {
		report.requests = operator.NewWaiting(o.Approvals)
	}
	o.Status = report
	if cfg.Console.Actions {
		o.Acting = &console.Acting{Reader: log, DeadLetters: log, Endpoints: log, PayoutFile: payoutFiles(rt, log), Actions: operator.Actions{
			Service: operator.Service{Log: log, Queue: log, Now: rt.Now}, Audit: log, NewID: uuid.NewString, Timeout: consoleRead, Approvals: o.Approvals,
		}}
	}
	if cfg.Environment != config.Production {
		o.Environment = cfg.Environment
	}
	closeArchive := func() {}
	if cfg.Archive.Configured() {
		archived := &openedArchive{location: ArchiveLocation(cfg, true)}
		o.Search, o.Archive, o.Trends, closeArchive = archived, archived, archived, archived.close
	}
	o.Providers = consoleProviders(rt)
	o.SendTo, o.Endpoints = cfg.SendTo(), log
	o.Statements = console.Statements{Log: log, Remembered: cfg.NATS.PaymentsRetention}
	closeFolder := func() {}
	if dir := cfg.Console.StatementsDir; dir != "" {
		folder, err := statements.OpenFolder(dir)
		if err != nil {
			closeArchive()
			return nil, nil, fmt.Errorf("console.statements_dir: %w", err)
		}
		o.Statements.Kept, closeFolder = folder, func() { _ = folder.Close() }
	}
	if pages, err = console.New(o); err != nil {
		closeArchive()
		closeFolder()
		return nil, nil, fmt.Errorf("console: %w", err)
	}
	return pages, func() { pages.Close(); closeArchive(); closeFolder() }, nil
}

// consoleProviders are the providers as pages show them.
func consoleProviders(rt Runtime) (all []console.Provider) {
	for _, of := range StatusProviders(rt.Config, rt.Connectors) {
		connector, _ := rt.Connectors.Get(of.Name)
		traits, cfg := connector.Traits(), rt.Config.Providers[of.Name]
		p := console.Provider{
			ProviderConfig: of, Settings: rt.Config.ProviderSummary(of.Name), Kind: traits.Kind, Currencies: traits.Currencies,
			MaxOrderLength: traits.MaxOrderLength, BasicTime: traits.BasicTime, Threshold: traits.Threshold, OneReference: traits.OneReference,
		}
		p.Balance, _ = connector.(connectors.Balancer)
		for _, way := range connectors.Ways(connector) {
			of := console.Way{
				Operation: way.Operation, Method: way.Method, Default: way.Default, Currency: way.Currency, Amount: way.Form.AmountNote(way.Currency), Note: way.Form.WholeNote,
			}
			of.Required, of.Optional = way.Form.Names()
			p.Ways = append(p.Ways, of)
		}
		p.Closed, p.ClosedKnownUntil = cfg.Hours.Closed, cfg.Hours.ClosedKnownUntil
		if len(of.Operations) > 0 {
			p.Zone = of.Hours(of.Operations[0]).Zone()
		}
		all = append(all, p)
	}
	return all
}

// History returns what the archive has of a payment.
func (s *openedArchive) History(ctx context.Context, ref payment.Ref) ([]events.Record, error) {
	store, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	return store.History(ctx, ref)
}

// Trend counts what happened, in the archive.
func (s *openedArchive) Trend(ctx context.Context, in search.Interval) (search.Trend, error) {
	store, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	return store.Trend(ctx, in)
}

// Wave counts the parked payments, in the archive.
func (s *openedArchive) Wave(ctx context.Context, in search.Interval) (search.Wave, error) {
	store, err := s.open(ctx)
	if err != nil {
		return search.Wave{}, err
	}
	return store.Wave(ctx, in)
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
