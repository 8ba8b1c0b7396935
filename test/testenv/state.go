package testenv

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// sandboxFile is where the orders of the sandbox are, beside the configuration.
const sandboxFile = "sandbox.json"

// keptKeys reads the keys that a folder has, or makes new ones.
func keptKeys(dir string) (Keys, error) {
	if _, err := os.Stat(filepath.Join(dir, keysFolder)); errors.Is(err, fs.ErrNotExist) {
		return NewKeys()
	}
	k, err := ReadKeys(dir)
	k.written = true
	return k, err
}

// restoreSandbox goes on with the orders that SaveSandbox wrote, if there are any.
func (s *System) restoreSandbox() error {
	kept, err := os.ReadFile(filepath.Join(s.Dir, sandboxFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Sandbox.Restore(bytes.NewReader(kept))
}

// SaveSandbox writes the orders of the sandbox for a later system in the same folder. A file that is there is replaced as a whole.
func (s *System) SaveSandbox() error {
	var orders bytes.Buffer
	if err := s.Sandbox.Save(&orders); err != nil {
		return err
	}
	path := filepath.Join(s.Dir, sandboxFile)
	if err := os.WriteFile(path+".new", orders.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
