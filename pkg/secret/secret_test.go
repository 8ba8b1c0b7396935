package secret_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"payonce/pkg/secret"
)

func TestValueNeverShowsItself(t *testing.T) {
	const text = "hunter2-hunter2"
	type holder struct {
		Key  secret.Value
		Ptr  *secret.Value
		deep struct{ key secret.Value }
	}
	v := secret.New(text)
	h := holder{Key: v, Ptr: &v}
	h.deep.key = v
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", v, "holder", h)
	encoded, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{
		fmt.Sprint(v), fmt.Sprintf("%v %+v %#v %s %q %x %d", v, v, v, v, v, v, v),
		fmt.Sprintf("%v %+v %#v", h, h, h), fmt.Sprintf("%v", &v), fmt.Errorf("with %v", v).Error(), log.String(), string(encoded),
	}
	for _, s := range shown {
		if strings.Contains(s, text) || strings.Contains(s, fmt.Sprintf("%x", text)) {
			t.Errorf("the secret shows in %q", s)
		}
	}
	if v.Reveal() != text || v.Empty() || !(secret.Value{}).Empty() {
		t.Error("Reveal and Empty do not tell the truth")
	}
}

func TestUnmarshalText(t *testing.T) {
	var h struct{ Key secret.Value }
	if err := json.Unmarshal([]byte(`{"Key":"abc"}`), &h); err != nil || h.Key.Reveal() != "abc" {
		t.Fatalf("got %q, %v", h.Key.Reveal(), err)
	}
}
