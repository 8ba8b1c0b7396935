package config_test

import (
	"strings"
	"testing"

	"payonce/pkg/config"
)

func TestArchive(t *testing.T) {
	env := map[string]string{"GOOD": "postgres://kim:hunter2-hunter2-x@db.example/x", "BAD": "mysql://kim:hunter2-hunter2-x@db.example/x"}
	for _, test := range []struct {
		archive string
		problem string // empty if it is taken
	}{
		{"{}", "archive: needs file"},
		{"{file: /var/a.db}", ""},
		{"{url: \"${GOOD}\"}", ""},
		{"{file: a.db, url: \"${GOOD}\"}", "must not stand beside file"},
		{"{url: \"${BAD}\"}", "archive.url: must begin with postgres://"},
		{"{file: a.db, batch: 0}", "archive.batch"},
		{"{file: a.db, retention: 24h}", "archive.retention: must be at least nats.payments_retention"},
		{"{file: a.db, retention: -1s}", "must not be negative"},
		{"{file: a.db, schema: \"a b\"}", "archive.schema"},
		{"{file: a.db, admin_listen: nowhere}", "archive.admin_listen"},
	} {
		text := "environment: test\narchive: " + test.archive + "\nproviders:\n  acme: {kind: acme, settings: {}}\n"
		_, err := config.Load(testFile, fake(text, env, nil), config.RoleArchive)
		switch {
		case test.problem == "" && err != nil:
			t.Errorf("%s: %v", test.archive, err)
		case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
			t.Errorf("%s: %v, want %s", test.archive, err, test.problem)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password shows: %v", err)
		}
	}
}
