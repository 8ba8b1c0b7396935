package deploytest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// anImage finds the images of manifests and of the Dockerfile's arguments. Ours has no tag in a manifest: an overlay says it.
	anImage = regexp.MustCompile(`(?m)^(?:\s*(?:- )?image: *|ARG [A-Z_]*IMAGE=|ARG BASE=)["']?(\S+?)["']?\s*$`)
	newTag  = regexp.MustCompile(`newTag: *["']?([^\s,}"']+)`)
	anExact = regexp.MustCompile(`^(local|v?\d+\.\d+\.\d+(-[a-z]+)?)$`)
)

// withoutVersions are images of which the publisher makes none; make pin-images gives them a digest.
var withoutVersions = map[string]bool{"gcr.io/distroless/static-debian12:nonroot": true}

// imagesOf returns what is wrong with the images that a file names, and those that it names.
func imagesOf(text string) (found []string, images map[string]string) {
	images = map[string]string{}
	for _, match := range anImage.FindAllStringSubmatch(text, -1) {
		name, _, _ := strings.Cut(match[1], "@")
		repository, tag, _ := strings.Cut(name, ":")
		images[repository] = tag
		if repository != "payonce" && !withoutVersions[name] && !anExact.MatchString(tag) {
			found = append(found, match[1])
		}
	}
	for _, match := range newTag.FindAllStringSubmatch(text, -1) {
		if !anExact.MatchString(match[1]) {
			found = append(found, match[1])
		}
	}
	return found, images
}

// TestImagesAreExactVersions of everything that is shipped: what is started tomorrow is what was tried today, and Kubernetes and Compose
// start the same.
func TestImagesAreExactVersions(t *testing.T) {
	files := []string{"../../docker-compose.yml", "../../docker-compose.override.yml", "../../Dockerfile"}
	if err := filepath.WalkDir("../../deploy/kubernetes", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(path, ".yaml") {
			files = append(files, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found, images := imagesOf(string(text))
		for _, image := range found {
			t.Errorf("%s: %s is no exact version", file, image)
		}
		for repository, tag := range images {
			if before, known := all[repository]; known && before != tag && repository != "payonce" {
				t.Errorf("%s starts %s:%s, another file %s", file, repository, tag, before)
			}
			all[repository] = tag
		}
	}
	if len(all) < 8 {
		t.Errorf("only %v are found", all)
	}
}

func TestInexactImagesAreSeen(t *testing.T) {
	for _, bad := range []string{
		"  image: nats\n", "  image: nats:latest\n", "  - image: nats:2-alpine\n", "  image: \"nats:2.15\"\n", "ARG BASE=alpine:edge\n", "ARG GO_IMAGE=golang:1.26\n",
		"  - {name: payonce, newName: x, newTag: latest}\n", "  image: gcr.io/distroless/static-debian12:latest\n",
	} {
		if found, _ := imagesOf(bad); len(found) != 1 {
			t.Errorf("%q finds %v", bad, found)
		}
	}
}
