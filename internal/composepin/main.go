// Composepin asks registries what the images of docker-compose.yml and of the Dockerfile are now, and writes a file
// for Compose that names each by its digest. It wants Docker with buildx. See docs/deploy-docker.md.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	to := flag.String("write", "docker-compose.pinned.yml", "the file to write")
	flag.Parse()
	text, err := pinned(ctx, "docker-compose.yml", "Dockerfile")
	if err == nil {
		err = os.WriteFile(*to, text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pin-images:", err)
		os.Exit(1)
	}
}

// service is what the written file says of one service.
type service struct {
	Image string `yaml:"image,omitempty"`
	Build *build `yaml:"build,omitempty"`
}

type build struct {
	Args map[string]string `yaml:"args"`
}

const head = `# Written by make pin-images: what the images of docker-compose.yml and of the Dockerfile were at that time.
`

// pinned returns a file for Compose that goes after docker-compose.yml.
func pinned(ctx context.Context, composeFile, dockerfile string) ([]byte, error) {
	text, err := os.ReadFile(composeFile)
	if err != nil {
		return nil, err
	}
	var compose struct{ Services map[string]service }
	if err := yaml.Load(text, &compose); err != nil {
		return nil, fmt.Errorf("%s: %w", composeFile, err)
	}
	r := registry{digests: map[string]string{}}
	args, err := r.bases(ctx, dockerfile)
	if err != nil {
		return nil, err
	}
	services := map[string]service{}
	for _, name := range slices.Sorted(maps.Keys(compose.Services)) {
		one := compose.Services[name]
		if one.Build != nil {
			services[name] = service{Build: &build{Args: args}}
			continue
		}
		image, err := r.pin(ctx, one.Image)
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", name, err)
		}
		services[name] = service{Image: image}
	}
	out, err := yaml.Dump(map[string]any{"services": services})
	return append([]byte(head), out...), err
}

// registry remembers the digests that it was told.
type registry struct{ digests map[string]string }

var anArgument = regexp.MustCompile(`(?m)^ARG ([A-Z_]+)=(\S+:\S+)$`)

// bases returns the build arguments of a Dockerfile that name an image, which stand before its first FROM.
func (r registry) bases(ctx context.Context, dockerfile string) (map[string]string, error) {
	text, err := os.ReadFile(dockerfile)
	if err != nil {
		return nil, err
	}
	before, _, _ := strings.Cut(string(text), "\nFROM ")
	args := map[string]string{}
	for _, found := range anArgument.FindAllStringSubmatch(before, -1) {
		if args[found[1]], err = r.pin(ctx, found[2]); err != nil {
			return nil, fmt.Errorf("%s: %w", dockerfile, err)
		}
	}
	return args, nil
}

var aDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// pin returns an image's name with the digest that its tag has now. That of an image for many architectures is the
// digest of their list.
func (r registry) pin(ctx context.Context, image string) (string, error) {
	if r.digests[image] == "" {
		var stdout, stderr bytes.Buffer
		cmd := exec.CommandContext(ctx, "docker", "buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}", image)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("digest of %s: %w: %s", image, err, bytes.TrimSpace(stderr.Bytes()))
		}
		var manifest struct{ Digest string }
		if json.Unmarshal(stdout.Bytes(), &manifest) != nil || !aDigest.MatchString(manifest.Digest) {
			return "", fmt.Errorf("digest of %s: docker says %q", image, stdout.String())
		}
		r.digests[image] = manifest.Digest
	}
	return image + "@" + r.digests[image], nil
}
