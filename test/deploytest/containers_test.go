package deploytest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"payonce/pkg/config"
)

// node is a part of a YAML document.
type node = map[string]any

// at walks down a document by keys, and by numbers in lists; nil where there is nothing.
func at(v any, path ...string) any {
	for _, key := range path {
		switch here := v.(type) {
		case node:
			v = here[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(here) {
				return nil
			}
			v = here[i]
		default:
			return nil
		}
	}
	return v
}

func documents(t *testing.T, path string) (all []node) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for {
		var one node
		if err := loader.Load(&one); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, one)
	}
}

// drain is how long a stopping worker may need, with the times that a configuration has.
func drain() time.Duration {
	w := config.Defaults().Worker
	return max(w.ShutdownTimeout, w.Lease+w.SubmitTimeout)
}
