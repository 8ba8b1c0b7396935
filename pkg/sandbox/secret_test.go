package sandbox_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"payonce/pkg/sandbox"
)

func TestSecretsAreMarkedAndNeverReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.txt")
	if err := sandbox.WriteSecret(path); err != nil {
		t.Fatal(err)
	}
	first, err := sandbox.ReadSecret(path)
	if err != nil || !strings.HasPrefix(first, "sandbox-") || len(first) != len("sandbox-")+64 {
		t.Errorf("%v, %d characters", err, len(first))
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", err, info)
	}
	if err := sandbox.WriteSecret(path); !os.IsExist(err) {
		t.Errorf("replaced: %v", err)
	}
	for _, text := range []string{"a-real-secret", "sandbox-", "", " \n", "Sandbox-x"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := sandbox.ReadSecret(path); err == nil || text == "a-real-secret" && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := sandbox.ReadSecret(path + "x"); !os.IsNotExist(err) {
		t.Error(err)
	}
}
