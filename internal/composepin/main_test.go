package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// fakeDocker puts a docker first in the path that answers as buildx does, with a digest made of the image's name. It
// is given the last argument as $image.
func fakeDocker(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	text := "#!/bin/sh\n[ \"$1 $2 $3 $4 $5\" = 'buildx imagetools inspect --format {{json .Manifest}}' ] || exit 9\nimage=$6\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

const answers = `printf '{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:%s","size":1}' "$(printf %s "$image" | sha256sum | cut -d' ' -f1)"`

func pinnedAs(image string) string {
	sum := sha256.Sum256([]byte(image))
	return image + "@sha256:" + hex.EncodeToString(sum[:])
}

// TestEveryImageIsPinned: every service is in the file, with the digest of its own image or of the images that it is
// built from.
func TestEveryImageIsPinned(t *testing.T) {
	fakeDocker(t, answers)
	text, err := pinned(t.Context(), "../../docker-compose.yml", "../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var shipped, written struct{ Services map[string]service }
	compose, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Load(compose, &shipped); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Load(text, &written, yaml.WithKnownFields(true)); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(shipped.Services) < 15 || len(written.Services) != len(shipped.Services) {
		t.Fatalf("%d services are written, %d shipped", len(written.Services), len(shipped.Services))
	}
	for name, one := range shipped.Services {
		pin := written.Services[name]
		if one.Build == nil {
			if pin.Image != pinnedAs(one.Image) || pin.Build != nil {
				t.Errorf("%s: %s is pinned as %+v", name, one.Image, pin)
			}
			continue
		}
		if pin.Image != "" || len(pin.Build.Args) != 2 || pin.Build.Args["BASE"] != pinnedAs("gcr.io/distroless/static-debian12:nonroot") ||
			!strings.HasPrefix(pin.Build.Args["GO_IMAGE"], "golang:1.") {
			t.Errorf("%s is pinned as %+v", name, pin)
		}
	}
}

// TestNothingIsPinnedByGuess: no answer, or one that has no digest, is an error that names the image.
func TestNothingIsPinnedByGuess(t *testing.T) {
	for name, script := range map[string]string{
		"no such image": `echo "$image: not found" >&2; exit 1`, "no digest": `echo '{}'`, "nothing": `:`, "half": `echo '{"digest":"sha256:12"}'`,
	} {
		t.Run(name, func(t *testing.T) {
			fakeDocker(t, script)
			text, err := pinned(t.Context(), "../../docker-compose.yml", "../../Dockerfile")
			if err == nil || !strings.Contains(err.Error(), "golang:") || text != nil {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
}
