package testenv

import (
	"bytes"
	"errors"
	"fmt"
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
	path := filepath.Join(s.Dir, sandboxFile)
	kept, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.Sandbox.Restore(bytes.NewReader(kept)); err != nil {
		return Damaged(path, err)
	}
	return nil
}

// SaveSandbox writes the orders of the sandbox for a later system in the same folder.
func (s *System) SaveSandbox() error {
	var orders bytes.Buffer
	if err := s.Sandbox.Save(&orders); err != nil {
		return err
	}
	return ReplaceFile(filepath.Join(s.Dir, sandboxFile), orders.Bytes())
}

// Damaged is the error of a file in the folder of a system that cannot be gone on with.
func Damaged(path string, err error) error {
	return fmt.Errorf("%s is damaged: %w; put a copy of it back, or begin with an empty folder", path, err)
}

// ReplaceFile writes a file as a whole: whatever stops the process or the machine, there is the old one or the new one.
func ReplaceFile(path string, data []byte) (err error) {
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync() // else a machine that stops may have renamed an empty file
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
