package connectors_test

import (
	"errors"
	"slices"
	"testing"

	"payonce/pkg/connectors"
)

// ofKind is a connector that is only asked for its kind.
type ofKind struct {
	connectors.Connector
	kind, secret, account string
}

func (c ofKind) Traits() connectors.Traits {
	return connectors.Traits{Kind: c.kind, Account: c.account}
}

func TestReplaceTakesAllOrNothing(t *testing.T) {
	type accounts = map[string]connectors.Connector
	registry := connectors.NewRegistry(accounts{"a": ofKind{kind: "x", secret: "old"}, "b": ofKind{kind: "y", secret: "old"}})
	held, _ := registry.Get("a")
	for name, other := range map[string]accounts{
		"one less":     {"a": ofKind{kind: "x"}},
		"one more":     {"a": ofKind{kind: "x"}, "b": ofKind{kind: "y"}, "c": ofKind{kind: "y"}},
		"another name": {"a": ofKind{kind: "x"}, "c": ofKind{kind: "y"}},
		"another kind": {"a": ofKind{kind: "x"}, "b": ofKind{kind: "x"}},
	} {
		if err := registry.Replace(connectors.NewRegistry(other)); !errors.Is(err, connectors.ErrOtherProviders) {
			t.Errorf("%s: %v", name, err)
		}
	}
	want := func(secret string) {
		t.Helper()
		for _, name := range []string{"a", "b"} {
			if c, known := registry.Get(name); !known || c.(ofKind).secret != secret {
				t.Errorf("%s is %+v", name, c)
			}
		}
	}
	want("old")
	if err := registry.Replace(connectors.NewRegistry(accounts{"a": ofKind{kind: "x", secret: "new"}, "b": ofKind{kind: "y", secret: "new"}})); err != nil {
		t.Fatal(err)
	}
	want("new")
	if held.(ofKind).secret != "old" {
		t.Error("a call under way got another connector")
	}
	if !slices.Equal(registry.Names(), []string{"a", "b"}) {
		t.Errorf("names %q", registry.Names())
	}
}

func TestReplaceKeepsTheAccount(t *testing.T) {
	type accounts = map[string]connectors.Connector
	registry := connectors.NewRegistry(accounts{"a": ofKind{kind: "x", account: "one"}, "b": ofKind{kind: "y", account: "two"}})
	err := registry.Replace(connectors.NewRegistry(accounts{"a": ofKind{kind: "x", account: "one", secret: "new"}, "b": ofKind{kind: "y", account: "three"}}))
	if !errors.Is(err, connectors.ErrOtherAccount) || err.Error() != `b: a provider's account was changed from "y two" to "y three"` {
		t.Errorf("another account: %v", err)
	}
	if c, _ := registry.Get("a"); c.(ofKind).secret != "" {
		t.Error("a part was replaced")
	}
}
