package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// ErrEvicts says that the server throws keys away when its memory is full. It could forget a claim that
// is held.
var ErrEvicts = errors.New("maxmemory-policy is not noeviction")

// Check asks the server, or every master of a Cluster, how it keeps what it is given. The error is
// [ErrEvicts], or that the server could not be asked. Warnings are for people: what could not be found
// out (a managed Redis may forbid CONFIG), and settings that forget claims in a crash. The program stays
// correct without those claims, but works more.
func (s *Store) Check(ctx context.Context) (warnings []string, err error) {
	cluster, ok := s.client.(*goredis.ClusterClient)
	if !ok {
		return check(ctx, s.client)
	}
	var mutex sync.Mutex // ForEachMaster asks all of them at once
	err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error {
		found, err := check(ctx, node)
		if err != nil {
			return fmt.Errorf("node %s: %w", node.Options().Addr, err)
		}
		mutex.Lock()
		defer mutex.Unlock()
		for _, warning := range found {
			warnings = append(warnings, node.Options().Addr+": "+warning)
		}
		return nil
	})
	return warnings, err
}

func check(ctx context.Context, node goredis.Cmdable) ([]string, error) {
	fields, err := info(ctx, node)
	if err != nil {
		return nil, fmt.Errorf("redis: check: %w", err)
	}
	var warnings []string
	switch policy := fields["maxmemory_policy"]; policy {
	case "noeviction":
	case "":
		warnings = append(warnings, "cannot tell whether maxmemory-policy is noeviction: INFO does not say")
	default:
		return nil, fmt.Errorf("redis: check: %w but %s", ErrEvicts, policy)
	}
	switch fields["aof_enabled"] {
	case "1":
		return append(warnings, checkFsync(ctx, node)...), nil
	case "":
		return append(warnings, "cannot tell whether appendonly is on: INFO does not say"), nil
	}
	return append(warnings, "appendonly is off: a restart forgets claims"), nil
}

func checkFsync(ctx context.Context, node goredis.Cmdable) []string {
	config, err := node.ConfigGet(ctx, "appendfsync").Result()
	switch fsync := config["appendfsync"]; {
	case err != nil:
		return []string{"cannot tell appendfsync: " + err.Error()}
	case fsync != "always":
		return []string{fmt.Sprintf("appendfsync is %q and not always: a crash forgets the last claims", fsync)}
	}
	return nil
}

// info returns the fields of INFO, which managed servers allow where they forbid CONFIG; none where it
// is forbidden as well.
func info(ctx context.Context, node goredis.Cmdable) (map[string]string, error) {
	text, err := node.Info(ctx).Result()
	if err != nil && !goredis.IsPermissionError(err) {
		return nil, err
	}
	fields := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields, nil
}
