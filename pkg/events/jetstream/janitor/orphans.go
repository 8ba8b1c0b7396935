package janitor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
)

// Bounds of one sweep.
const (
	maxOrphanPages = 10 // pages of subjects, each of up to 100,000 as the server cuts them
	maxOrphans     = 1000
)

// SweepOrphans moves commands for providers that no worker consumes to DEADLETTERS, with the reason
// [events.DeadUnknownProvider], and returns how many. Commands younger than OrphanAfter of [jetstream.Config] are left,
// for a worker that is about to start. One sweep moves at most 1,000; several workers may sweep at the
// same time, each orphaned command becomes one dead letter.
//
// A provider counts as known as long as its durable consumer exists, running or not: delete the
// consumer to give the provider up.
func (j *Janitor) SweepOrphans(ctx context.Context) (int, error) {
	filters, err := j.commandFilters(ctx)
	if err != nil {
		return 0, fmt.Errorf("sweep orphaned commands: %w", err)
	}
	return j.sweepAllBut(ctx, filters)
}

// sweepAllBut moves what none of the filters matches and no consumer of its provider takes.
func (j *Janitor) sweepAllBut(ctx context.Context, filters []string) (int, error) {
	subjects, err := j.orphanSubjects(ctx, filters)
	if err == nil {
		subjects, err = j.withoutConsumer(ctx, subjects)
	}
	if err != nil {
		return 0, fmt.Errorf("sweep orphaned commands: %w", err)
	}
	swept, of := 0, map[string]int{}
	defer func() { j.tellOrphans(ctx, of) }()
	for _, subject := range subjects {
		if swept >= maxOrphans {
			break
		}
		n, err := j.sweepSubject(ctx, subject, maxOrphans-swept)
		swept += n
		ref, _ := events.SubjectRef(subject)
		of[ref.Provider] += n
		if err != nil {
			return swept, fmt.Errorf("sweep orphaned commands: %s: %w", subject, err)
		}
	}
	return swept, nil
}

// tellOrphans logs for people, in one line for each provider, what became a dead letter.
func (j *Janitor) tellOrphans(ctx context.Context, of map[string]int) {
	for _, provider := range slices.Sorted(maps.Keys(of)) {
		if of[provider] == 0 {
			continue
		}
		name := provider
		if name == "" { // no valid one
			name = events.NoProvider
		}
		j.log.ErrorContext(ctx, "dead-lettered commands: no worker serves this provider", "provider", name, "count", of[provider],
			"reason", string(events.DeadUnknownProvider), "next", "payctl deadletters list --provider "+name)
	}
}

// withoutConsumer returns the subjects whose provider has no consumer. Each provider is asked for by name,
// because a cluster can leave consumers out of its list (the answer's "missing", which the client library
// does not show), and a command that a worker is about to take must not become a dead letter.
func (j *Janitor) withoutConsumer(ctx context.Context, subjects []string) ([]string, error) {
	consumed := map[string]bool{}
	var orphans []string
	for _, subject := range subjects {
		ref, named := events.SubjectRef(subject)
		if _, asked := consumed[ref.Provider]; named && !asked {
			found, err := j.isConsumed(ctx, ref.Provider)
			if err != nil {
				return nil, err
			}
			consumed[ref.Provider] = found
		}
		if !consumed[ref.Provider] {
			orphans = append(orphans, subject)
		}
	}
	return orphans, nil
}

// isConsumed reports whether the commands of a provider have a consumer. Only the word of the cluster that
// there is none counts as no.
func (j *Janitor) isConsumed(ctx context.Context, provider string) (bool, error) {
	_, err := j.broker.JS.Consumer(ctx, events.StreamCommands, broker.CommandsConsumer(provider))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, njs.ErrConsumerNotFound):
		return false, nil
	default:
		return false, fmt.Errorf("consumer of %s: %w", provider, err)
	}
}

// commandFilters returns what the consumers of COMMANDS are interested in.
func (j *Janitor) commandFilters(ctx context.Context) ([]string, error) {
	stream, err := j.broker.Stream(ctx, events.StreamCommands)
	if err != nil {
		return nil, err
	}
	var filters []string
	list := stream.ListConsumers(ctx)
	for info := range list.Info() {
		filters = append(filters, info.Config.FilterSubjects...)
		if info.Config.FilterSubject != "" {
			filters = append(filters, info.Config.FilterSubject)
		} else if len(info.Config.FilterSubjects) == 0 {
			filters = append(filters, ">") // a consumer without a filter takes everything
		}
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("list consumers: %w", err)
	}
	return filters, nil
}

// orphanSubjects returns the queued subjects that no filter matches.
func (j *Janitor) orphanSubjects(ctx context.Context, filters []string) ([]string, error) {
	var orphans []string
	for page, offset := 0, 0; page < maxOrphanPages; page++ {
		subjects, total, err := j.broker.Subjects(ctx, events.StreamCommands, "*.requested.*.*", offset)
		if err != nil {
			return nil, err
		}
		for subject := range subjects {
			if !slices.ContainsFunc(filters, func(filter string) bool { return subjectMatches(filter, subject) }) {
				orphans = append(orphans, subject)
			}
		}
		offset += len(subjects)
		if len(subjects) == 0 || offset >= total {
			break
		}
	}
	slices.Sort(orphans)
	return orphans, nil
}

// subjectMatches reports whether a subject without wildcards matches a filter.
func subjectMatches(filter, subject string) bool {
	want, have := strings.Split(filter, "."), strings.Split(subject, ".")
	for i, token := range want {
		switch {
		case token == ">":
			return len(have) > i
		case i >= len(have), token != "*" && token != have[i]:
			return false
		}
	}
	return len(want) == len(have)
}

// sweepSubject moves at most max old messages of one subject.
func (j *Janitor) sweepSubject(ctx context.Context, subject string, max int) (int, error) {
	stream, err := j.broker.Stream(ctx, events.StreamCommands)
	if err != nil {
		return 0, err
	}
	swept := 0
	for next := uint64(1); swept < max; {
		raw, err := stream.GetMsg(ctx, next, njs.WithGetMsgSubject(subject))
		if errors.Is(err, njs.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return swept, err
		}
		next = raw.Sequence + 1
		if raw.Subject != subject { // the broker takes subjects with a "*" and reads them as wildcards here
			continue
		}
		if j.now().Sub(raw.Time) < j.cfg.OrphanAfter {
			break
		}
		moved, err := j.deadLetterOrphan(ctx, raw)
		if err != nil {
			return swept, err
		}
		if moved {
			swept++
		}
	}
	return swept, nil
}

// deadLetterOrphan keeps a message as a dead letter and then deletes it. moved is false when a concurrent writer deleted
// it first; the dead letter has the same id then and is kept once.
func (j *Janitor) deadLetterOrphan(ctx context.Context, raw *njs.RawStreamMsg) (moved bool, err error) {
	d := broker.Stored{Stream: events.StreamCommands, Message: broker.MessageOf(raw)}
	provider := "none"
	if ref, ok := events.SubjectRef(raw.Subject); ok {
		provider = ref.Provider
	}
	if _, err := j.broker.GiveUp(ctx, d, events.DeadUnknownProvider, "no worker serves provider "+provider, nil); err != nil {
		return false, err
	}
	if moved, err = j.broker.Remove(ctx, events.StreamCommands, raw.Sequence); !moved {
		return false, err
	}
	j.broker.Count.DeadLetters.Add(1)
	j.broker.Count.Orphans.Add(1)
	return true, nil
}
