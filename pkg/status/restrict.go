package status

import "slices"

// For returns what may be shown to a client that sees some providers and some payments only: the state of those
// providers and endpoints, and of processes that they live and work. Where totals is false for a provider, what is counted there is of others,
// too, and is left out. Hosts, errors and configurations are for those who run payonce.
func (r Report) For(provider, totals func(name string) bool, item func(Item) bool, endpoint func(Endpoint) bool) Report {
	seen := Report{At: r.At, Providers: []Provider{}, Warnings: []string{}, Unknown: []Unknown{}}
	for _, p := range r.Providers {
		if provider(p.Name) {
			if p.Shared = !totals(p.Name); p.Shared {
				p.Queue, p.Payments = nil, nil
			}
			seen.Providers = append(seen.Providers, p)
		}
	}
	if r.Processes != nil {
		seen.Processes = []Process{}
	}
	for _, p := range r.Processes {
		seen.Processes = append(seen.Processes, Process{
			Service: p.Service, Version: p.Version, StartedAt: p.StartedAt, At: p.At, Slots: p.Slots, InFlight: p.InFlight, Ready: p.Ready,
		})
	}
	for _, e := range r.Endpoints {
		if endpoint(e) {
			e.Failures = nil
			seen.Endpoints = append(seen.Endpoints, e)
		}
	}
	if r.AttentionTotal != nil {
		seen.Attention = []Item{}
	}
	for _, i := range r.Attention {
		if i.Request == 0 && provider(i.Provider) && item(i) { // requests are for those who run payonce
			seen.Attention = append(seen.Attention, i)
		}
	}
	if total := len(seen.Attention); r.AttentionTotal != nil && *r.AttentionTotal == len(r.Attention) { // else more are not named
		seen.AttentionTotal = &total
	}
	if slices.Contains(r.Warnings, noWorker) {
		seen.Warnings = append(seen.Warnings, noWorker)
	}
	if len(seen.Endpoints) > 0 && slices.Contains(r.Warnings, noNotifier) {
		seen.Warnings = append(seen.Warnings, noNotifier)
	}
	for _, u := range r.Unknown {
		seen.Unknown = append(seen.Unknown, Unknown{What: u.What, Problem: "it cannot be found out now"})
	}
	return seen
}
