package statements

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Folder keeps comparisons as files, one each. It is safe for concurrent use, also by several processes. The files hold order
// numbers and amounts, and nothing else of customers.
type Folder struct{ root *os.Root }

// ErrNone says that there is no such comparison.
var ErrNone = errors.New("no such comparison")

// OpenFolder opens a folder, which must exist.
func OpenFolder(path string) (*Folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the folder of comparisons: %w", err)
	}
	return &Folder{root}, nil
}

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

var validID = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}-[A-Z2-7]{10}$`)

// Save keeps a comparison and returns its id.
func (f *Folder) Save(c Comparison) (id string, err error) {
	c.ID = c.At.UTC().Format("20060102T150405") + "-" + rand.Text()[:10]
	data, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("keep a comparison: %w", err)
	}
	temporary := "." + c.ID
	if err := f.write(temporary, data); err != nil {
		_ = f.root.Remove(temporary)
		return "", fmt.Errorf("keep a comparison: %w", err)
	}
	if err := f.root.Rename(temporary, c.ID+".json"); err != nil {
		return "", fmt.Errorf("keep a comparison: %w", err)
	}
	return c.ID, nil
}

func (f *Folder) write(name string, data []byte) error {
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

// Load returns a comparison, or ErrNone.
func (f *Folder) Load(id string) (c Comparison, err error) {
	if !validID.MatchString(id) {
		return c, ErrNone
	}
	data, err := f.root.ReadFile(id + ".json")
	if errors.Is(err, fs.ErrNotExist) {
		return c, ErrNone
	}
	if err != nil {
		return c, fmt.Errorf("read a comparison: %w", err)
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("read the comparison %s: %w", id, err)
	}
	return c, nil
}

// Latest returns at most max comparisons, newest first, without their findings.
func (f *Folder) Latest(max int) ([]Comparison, error) {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("list comparisons: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), ".json"); ok && validID.MatchString(id) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return -cmp.Compare(a, b) })
	var all []Comparison
	for _, id := range ids[:min(len(ids), max)] {
		c, err := f.Load(id)
		if err != nil {
			return nil, err
		}
		c.Findings = nil
		all = append(all, c)
	}
	return all, nil
}
