package archtest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// maxBytes is how large a committed file may be. What is larger is made, or downloaded.
const maxBytes = 512 << 10

// committed returns the paths of all files that Git knows. Where there is no Git, of all files but those of folders
// that hold what is made.
func committed(t *testing.T) (paths []string) {
	t.Helper()
	command := exec.Command("git", "ls-files", "-z")
	command.Dir = root
	if out, err := command.Output(); err == nil {
		return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && slices.Contains([]string{".git", "bin", "secrets", "node_modules"}, entry.Name()) {
			return filepath.SkipDir
		}
		if err != nil || entry.IsDir() {
			return err
		}
		path, err := filepath.Rel(root, name)
		paths = append(paths, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// unfit returns why a file must not be committed.
func unfit(content []byte) []string {
	var found []string
	if len(content) > maxBytes {
		found = append(found, fmt.Sprintf("has %d bytes, more than %d", len(content), maxBytes))
	}
	if bytes.IndexByte(content, 0) >= 0 {
		found = append(found, "is no text: nobody can review it")
	}
	return found
}

func TestCommittedFilesAreSmallTexts(t *testing.T) {
	paths := committed(t)
	if len(paths) < 100 {
		t.Fatalf("only %d files are found: nothing would be checked", len(paths))
	}
	for _, path := range paths {
		content, err := os.ReadFile(filepath.Join(root, path))
		if os.IsNotExist(err) {
			continue // removed and not yet committed
		}
		if err != nil {
			t.Error(err)
		}
		for _, problem := range unfit(content) {
			t.Errorf("%s %s", path, problem)
		}
	}
	for name, content := range map[string][]byte{"large": make([]byte, maxBytes+1), "a program": []byte("\x7fELF\x02\x00")} {
		if len(unfit(content)) == 0 {
			t.Errorf("%s is not refused", name)
		}
	}
	if found := unfit(bytes.Repeat([]byte("a"), maxBytes+1)); len(found) != 1 {
		t.Errorf("a large text finds %v", found)
	}
}
