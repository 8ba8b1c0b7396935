package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// observe asks the services of profile observability what they saw of the payments.
func (s *stack) observe(ctx context.Context) error {
	checks := []struct {
		service, what string
		check         func(context.Context) error
	}{
		{"prometheus", "every program is scraped", s.targets},
		{"prometheus", "the shipped rules work", s.rules},
		{"prometheus", "every command was counted", s.counted},
		{"jaeger", "a payment is one trace through both programs", s.traced},
		{"grafana", "the dashboard is there, and its data source", s.dashboard},
	}
	for _, c := range checks {
		if slices.Contains(strings.Split(s.without, ","), c.service) {
			fmt.Printf("==> %s: left out\n", c.service)
			continue
		}
		if err := eventually(ctx, c.check); err != nil {
			return errors.Join(fmt.Errorf("%s: %s: %w", c.service, c.what, err), s.logs(ctx))
		}
		fmt.Printf("==> %s: %s\n", c.service, c.what)
	}
	return nil
}

// eventually repeats a check for two minutes: metrics and traces come with a delay.
func eventually(ctx context.Context, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// ask reads JSON from a URL.
func ask(ctx context.Context, address, password string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	if password != "" {
		req.SetBasicAuth("admin", password)
	}
	reply, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(reply.Body, 16<<20))
	if err != nil {
		return err
	}
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", address, reply.Status)
	}
	return json.Unmarshal(text, into)
}

func (s *stack) targets(ctx context.Context) error {
	var reply struct {
		Data struct {
			ActiveTargets []struct {
				Labels    map[string]string
				Health    string
				LastError string
			}
		}
	}
	if err := ask(ctx, s.prometheus+"/api/v1/targets", "", &reply); err != nil {
		return err
	}
	up := map[string]int{}
	for _, target := range reply.Data.ActiveTargets {
		if target.Health != "up" {
			return fmt.Errorf("%s is %s: %s", target.Labels["instance"], target.Health, target.LastError)
		}
		up[target.Labels["job"]]++
	}
	for _, job := range []string{"worker", "ingress", "archive", "console", "notifier"} {
		if up[job] != 1 { // the other worker was killed
			return fmt.Errorf("up are %v", up)
		}
	}
	return nil
}

func (s *stack) rules(ctx context.Context) error {
	shipped, err := os.ReadFile("deploy/observability/payonce.rules.yaml")
	if err != nil {
		return err
	}
	var reply struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	if err := ask(ctx, s.prometheus+"/api/v1/rules", "", &reply); err != nil {
		return err
	}
	works := 0
	for _, group := range reply.Data.Groups {
		for _, rule := range group.Rules {
			if rule.Health != "ok" {
				return fmt.Errorf("%s is %s: %s", rule.Name, rule.Health, rule.LastError)
			}
			works++
		}
	}
	if want := strings.Count(string(shipped), "- alert: "); works != want || want == 0 {
		return fmt.Errorf("%d rules work, %d are shipped", works, want)
	}
	return nil
}

// counted compares the ingress's count of commands with the payments that were made.
func (s *stack) counted(ctx context.Context) error {
	var reply struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	query := url.Values{"query": {`sum(payonce_commands_accepted_total{duplicate="false"})`}}
	if err := ask(ctx, s.prometheus+"/api/v1/query?"+query.Encode(), "", &reply); err != nil {
		return err
	}
	if result := reply.Data.Result; len(result) != 1 || result[0].Value[1] != fmt.Sprint(s.payments) {
		return fmt.Errorf("%v commands were counted, %d were sent", result, s.payments)
	}
	return nil
}

func (s *stack) traced(ctx context.Context) error {
	var reply struct {
		Data []struct {
			TraceID   string
			Processes map[string]struct{ ServiceName string }
		}
	}
	if err := ask(ctx, s.jaeger+"/api/traces?service=payonce-worker&limit=100", "", &reply); err != nil {
		return err
	}
	for _, trace := range reply.Data {
		through := map[string]bool{}
		for _, process := range trace.Processes {
			through[process.ServiceName] = true
		}
		if through["payonce-ingress"] && through["payonce-worker"] {
			return nil
		}
	}
	return fmt.Errorf("of %d traces none has spans of both", len(reply.Data))
}

func (s *stack) dashboard(ctx context.Context) error {
	password, err := os.ReadFile(filepath.Join(s.secrets, "grafana", "admin.password"))
	if err != nil {
		return err
	}
	var dashboard struct {
		Dashboard struct{ Title string }
	}
	if err := ask(ctx, s.grafana+"/api/dashboards/uid/payonce", strings.TrimSpace(string(password)), &dashboard); err != nil {
		return err
	}
	var source struct{ Status string }
	if err := ask(ctx, s.grafana+"/api/datasources/uid/prometheus/health", strings.TrimSpace(string(password)), &source); err != nil {
		return err
	}
	if dashboard.Dashboard.Title != "payonce" || source.Status != "OK" {
		return fmt.Errorf("the dashboard is %q, the data source %q", dashboard.Dashboard.Title, source.Status)
	}
	return nil
}
