package docstest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// checkCompose wants files and services that are there.
func checkCompose(args []string) error {
	files := file("docker-compose.yml") + file("docker-compose.override.yml")
	verb := ""
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "-f" || arg == "--env-file" || arg == "--profile":
			i++
			if arg == "--profile" && !strings.Contains(files, args[i]) {
				return fmt.Errorf("there is no profile %s", args[i])
			}
			if arg != "--profile" && exists(args[i]) != nil && args[i] != "docker-compose.pinned.yml" { // make pin-images writes it
				return fmt.Errorf("there is no file %s", args[i])
			}
		case strings.HasPrefix(arg, "-"):
		case verb == "":
			verb = arg
			if !slices.Contains([]string{"run", "up", "down", "ps", "logs", "build", "exec", "restart", "stop"}, verb) {
				return fmt.Errorf("%s is not known here", verb)
			}
		default:
			if !strings.Contains(files, "\n  "+arg+":\n") {
				return fmt.Errorf("there is no service %s", arg)
			}
			if verb == "run" || verb == "exec" {
				return nil // the rest is the container's
			}
		}
	}
	return nil
}

// checkKubectl wants the files that are applied, and the names that the manifests have.
func checkKubectl(args []string) error {
	if len(args) > 2 && args[0] == "-n" {
		args = args[2:]
	}
	switch verb := strings.Join(args[:min(2, len(args))], " "); {
	case verb == "apply", verb == "diff":
		return nil
	case verb == "apply -k" || verb == "diff -k":
		return exists(filepath.Join(args[2], "kustomization.yaml"))
	case verb == "apply -f":
		return exists(args[2])
	case args[0] == "exec" && len(args) > 1: // the rest is the container's
		name, deployed := strings.CutPrefix(args[1], "deploy/")
		if !deployed {
			return fmt.Errorf("%s is not deploy/NAME", args[1])
		}
		return inManifests(`(?s)\nkind: Deployment\n.*\bname: `+name+`\b`, "deployment "+name)
	case verb == "rollout status" || args[0] == "port-forward":
		kind, name, _ := strings.Cut(args[len(args)-1], "/")
		if args[0] == "port-forward" {
			kind, name, _ = strings.Cut(args[1], "/")
		}
		return inManifests(`(?si)\nkind: `+kind+`\n.*\bname: `+name+`\b`, kind+" "+name)
	case verb == "create secret" && len(args) > 3:
		return inManifests(`(?m)(secretName|name): `+args[3]+`\b`, "secret "+args[3])
	case verb == "label namespace" && len(args) > 3:
		for _, label := range args[3:] {
			name, value, _ := strings.Cut(label, "=")
			if err := inManifests(regexp.QuoteMeta(name)+`"?: "?`+value, "label "+label); err != nil {
				return err
			}
		}
		return nil
	}
	return errors.New("this use of kubectl is not known here")
}

// inManifests wants a pattern in one of the documents of deploy/kubernetes.
func inManifests(pattern, what string) error {
	files, _ := filepath.Glob(filepath.Join(root, "deploy/kubernetes/*/*.yaml"))
	more, _ := filepath.Glob(filepath.Join(root, "deploy/kubernetes/*/*/*.yaml"))
	for _, path := range append(files, more...) {
		data, _ := os.ReadFile(path)
		for document := range strings.SplitSeq(string(data), "\n---\n") {
			if regexp.MustCompile(pattern).MatchString("\n" + document + "\n") {
				return nil
			}
		}
	}
	return fmt.Errorf("no manifest has %s", what)
}

// checkDocker wants a stage of the Dockerfile that is there.
func checkDocker(args []string) error {
	i := slices.Index(args, "--target")
	if args[0] != "build" || i > 0 && !strings.Contains(strings.ToLower(file("Dockerfile")), " as "+args[i+1]+"\n") {
		return errors.New("docker build of a stage that is there is expected")
	}
	return nil
}
