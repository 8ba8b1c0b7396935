package natstest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Disk is a file system of its own that can really be full. Its methods are for the test's goroutine.
type Disk struct {
	Dir string
	t   testing.TB
}

// NewDisk mounts a file system of so many bytes for the length of the test. Where that is not allowed (it needs
// root, or sudo without a password, on Linux) the test is left out, or fails if REQUIRE_SERVICES is set.
func NewDisk(t testing.TB, size int) *Disk {
	t.Helper()
	d := &Disk{Dir: t.TempDir(), t: t}
	mount := []string{"mount", "-t", "tmpfs", "-o", "mode=0777,size=" + strconv.Itoa(size), "tmpfs", d.Dir}
	var said bytes.Buffer
	for _, before := range [][]string{nil, {"sudo", "-n"}} {
		args := append(before, mount...)
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil {
			said.WriteString(err.Error() + ": " + string(out))
			continue
		}
		t.Cleanup(func() {
			unmount := append(before, "umount", "-l", d.Dir)
			if out, err := exec.Command(unmount[0], unmount[1:]...).CombinedOutput(); err != nil {
				t.Errorf("unmount %s: %v: %s", d.Dir, err, out)
			}
		})
		return d
	}
	const how = "a small file system cannot be mounted (run as root, on Linux): "
	if os.Getenv("REQUIRE_SERVICES") != "" {
		t.Fatal(how + said.String())
	}
	t.Skip(how + said.String())
	return nil
}

// Fill writes until the disk is full.
func (d *Disk) Fill() {
	d.t.Helper()
	file, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for page := make([]byte, os.Getpagesize()); err == nil; {
		_, err = file.Write(page)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		d.t.Fatalf("fill the disk: %v", err)
	}
}

// FillBut is Fill, and leaves room for so many bytes.
func (d *Disk) FillBut(room int64) {
	d.t.Helper()
	d.Fill()
	filler, err := os.Stat(d.filler())
	if err == nil {
		err = os.Truncate(d.filler(), filler.Size()-room)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// MakeRoom takes away what Fill wrote.
func (d *Disk) MakeRoom() {
	d.t.Helper()
	if err := os.Remove(d.filler()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *Disk) filler() string { return filepath.Join(d.Dir, "filler") }
