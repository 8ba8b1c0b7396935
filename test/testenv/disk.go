package testenv

import (
	"errors"
	"os"
	"time"
)

// SyncedWrites measures, for a second, how many writes of 1 KiB a second a disk takes when each is synced before
// the next one, as a nats-server without replicas writes with sync_interval: always.
func SyncedWrites(folder string) (perSecond float64, err error) {
	file, err := os.CreateTemp(folder, "payonce-sync-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	block, began, n := make([]byte, 1<<10), time.Now(), 0
	for time.Since(began) < time.Second {
		if _, err := file.Write(block); err != nil {
			return 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(began).Seconds(), nil
}
