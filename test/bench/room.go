package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"payonce/test/testenv"
)

// What one kept payment takes in all, in bytes: its events and its claim on the disk, and in the memory of the broker and of Redis
// (docs/sizing.md; shortly after it was written the broker holds about as much garbage). A pending or parked one takes no more.
const (
	keptDisk   = 3_500
	keptMemory = 2_200
)

// What is left to the machine.
const (
	spareDisk   = 5e9
	spareMemory = 2e9
)

// room is what a machine has free, in bytes.
type room struct{ disk, memory float64 }

func roomAt(folder string) (r room, err error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return r, fmt.Errorf("room in %s: %w", folder, err)
	}
	r.disk = float64(disk.Bavail) * float64(disk.Bsize)
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return r, err
	}
	_, after, _ := strings.Cut(string(text), "MemAvailable:")
	kilobytes := 0.0
	_, err = fmt.Sscanf(after, "%f kB", &kilobytes)
	r.memory = kilobytes * 1024
	return r, err
}

// holds is how many kept payments fit.
func (r room) holds() int {
	return max(0, int(min((r.disk-spareDisk)/keptDisk, (r.memory-spareMemory)/keptMemory)))
}

// checkRoom says what the payments take that are there before the measured ones, and refuses more than fit. together says that all
// settings are on the machine at the same time.
func checkRoom(settings []setting, together bool, has room, progress io.Writer) error {
	most := 0
	for _, s := range settings {
		n := (s.kept + s.parked + s.pending + s.due) * s.nodes
		if together {
			n += most
		}
		most = max(most, n)
	}
	if most == 0 {
		return nil
	}
	text := fmt.Sprintf("%d payments before the measured ones take about %.1f GB of the disk (%.0f GB are free) and %.1f GB of memory (%.0f GB); %d fit",
		most, float64(most)*keptDisk/1e9, has.disk/1e9, float64(most)*keptMemory/1e9, has.memory/1e9, has.holds())
	if most > has.holds() {
		return fmt.Errorf("too many: %s", text)
	}
	fmt.Fprintln(progress, text)
	return nil
}

// redisInfo is a number of INFO; 0 for one that is not there.
func (s *system) redisInfo(name string) (size float64) {
	for line := range strings.Lines(s.redis.MustDo("INFO")) {
		if value, is := strings.CutPrefix(strings.TrimSpace(line), name+":"); is {
			n, err := strconv.ParseFloat(value, 64)
			testenv.Must(s.t, err)
			size = n
		}
	}
	return size
}

// diskUsed is what files in a folder take.
func diskUsed(t testing.TB, dir string) (size float64) {
	t.Helper()
	testenv.Must(t, filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if os.IsNotExist(err) {
			return nil
		}
		size += float64(info.Size())
		return err
	}))
	return size
}
