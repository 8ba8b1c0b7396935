package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"payonce/test/testenv"
)

// The addresses of a folder are replaced as a whole, so that a start that is cut off leaves what was there.
func TestAddressesAreReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, addressesFile)
	start := func(t testing.TB) { openState(t, dir, "127.0.0.1:9999") }
	testenv.Must(t, testenv.Run(t.Context(), io.Discard, start))
	before := read(t, path)
	old, err := os.Open(path)
	testenv.Must(t, err)
	defer func() { _ = old.Close() }()
	testenv.Must(t, testenv.Run(t.Context(), io.Discard, start))
	if kept, err := io.ReadAll(old); err != nil || string(kept) != before {
		t.Errorf("written in place: %q, %v, was %q", kept, err, before)
	}
	if now := read(t, path); now != strings.Replace(before, `"runs":1`, `"runs":2`, 1) {
		t.Errorf("was %s, is %s", before, now)
	}
}

// A file that is damaged is named, with what to do, and stays as it is.
func TestDamagedState(t *testing.T) {
	for name, start := range map[string]func(testing.TB, string){
		addressesFile:  func(t testing.TB, dir string) { openState(t, dir, "") },
		"sandbox.json": func(t testing.TB, dir string) { testenv.NewSystem(t, dir, testenv.Addresses{}, nil) },
	} {
		for _, text := range []string{"", "{}", "null", `{"runs":1}{`} {
			dir := t.TempDir()
			path := filepath.Join(dir, name)
			testenv.Must(t, os.WriteFile(path, []byte(text), 0o600))
			err := testenv.Run(t.Context(), io.Discard, func(t testing.TB) { start(t, dir) })
			if err == nil || !strings.Contains(err.Error(), path+" is damaged: ") || !strings.Contains(err.Error(), "put a copy of it back") {
				t.Errorf("%q: %v", text, err)
			}
			if left := read(t, path); left != text {
				t.Errorf("%s holds %q, was %q", name, left, text)
			}
		}
	}
}
