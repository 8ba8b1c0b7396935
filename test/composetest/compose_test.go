package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestNoImageIsWantedOfWhatIsLeftOut: Compose pulls the images of all services before it starts any.
func TestNoImageIsWantedOfWhatIsLeftOut(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	s := stack{options: options{without: "grafana,jaeger"}, secrets: filepath.Join(t.TempDir(), "secrets")}
	if err := s.leaveOut(); err != nil {
		t.Fatal(err)
	}
	images := map[string]string{}
	for _, setting := range s.env {
		if list, found := strings.CutPrefix(setting, "COMPOSE_FILE="); found {
			for file := range strings.SplitSeq(list, ":") {
				maps.Copy(images, imagesOf(t, file))
			}
		}
	}
	if images["grafana"] != imageWithShell || images["jaeger"] != imageWithShell {
		t.Errorf("what is left out wants %q and %q", images["grafana"], images["jaeger"])
	}
	if images["redis-1"] != imageWithShell || images["prometheus"] == imageWithShell || images["prometheus"] == "" {
		t.Errorf("the others have %q and %q", images["redis-1"], images["prometheus"])
	}
}

func imagesOf(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var composed struct {
		Services map[string]struct{ Image string }
	}
	if err := yaml.Unmarshal(text, &composed); err != nil {
		t.Fatal(err)
	}
	images := map[string]string{}
	for name, service := range composed.Services {
		if service.Image != "" {
			images[name] = service.Image
		}
	}
	return images
}
