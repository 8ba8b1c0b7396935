package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// imageWithShell is one of docker-compose.yml.
const imageWithShell = "redis:7.2.16-alpine"

// composeCommand returns how Compose is called here.
func composeCommand(wanted string) []string {
	if command := strings.Fields(wanted); len(command) > 0 {
		return command
	}
	if _, err := exec.LookPath("docker-compose"); err == nil {
		return []string{"docker-compose"}
	}
	return []string{"docker", "compose"}
}

// leftOut returns the names of a list with commas.
func leftOut(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

// otherImages is a file of Compose that gives services an image that is needed anyway. Compose wants the image of a
// service of which it starts none, too.
func otherImages(services []string) string {
	text := "services:\n"
	for _, name := range services {
		text += fmt.Sprintf("  %s: {image: %q}\n", name, imageWithShell)
	}
	return text
}

// leaveOut makes Compose content without the images of the services that are left out.
func (s *stack) leaveOut() error {
	services := leftOut(s.without)
	if len(services) == 0 {
		return nil
	}
	s.override = s.secrets + "-without.yml"
	s.env = append(s.env, "COMPOSE_PATH_SEPARATOR=:", "COMPOSE_FILE=docker-compose.yml:docker-compose.override.yml:"+s.override)
	return os.WriteFile(s.override, []byte(otherImages(services)), 0o600)
}

// compose runs a command of Compose and shows what it says.
func (s *stack) compose(ctx context.Context, args ...string) error {
	fmt.Printf("==> %s\n", strings.Join(args, " "))
	return s.prepare(ctx, os.Stdout, args...).Run()
}

// read runs a command of Compose and returns what it says.
func (s *stack) read(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	err := s.prepare(ctx, &out, args...).Run()
	return out.String(), err
}

func (s *stack) prepare(ctx context.Context, out io.Writer, args ...string) *exec.Cmd {
	all := append(append([]string{}, s.command...), args...)
	cmd := exec.CommandContext(ctx, all[0], all[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, out, os.Stderr
	return cmd
}

// removeSecrets needs root, as which the container made them.
func (s *stack) removeSecrets(ctx context.Context) error {
	if s.override != "" {
		defer func() { _ = os.Remove(s.override) }()
	}
	if os.RemoveAll(s.secrets) == nil {
		return nil
	}
	cmd := exec.CommandContext(ctx, "docker", "run", "--rm", "--network", "none", "--volume", s.secrets+":/secrets", imageWithShell,
		"/bin/sh", "-c", "rm -rf /secrets/*")
	return errors.Join(cmd.Run(), os.RemoveAll(s.secrets))
}

// container returns the id of one container of a service.
func (s *stack) container(ctx context.Context, service string) (string, error) {
	ids, err := s.read(ctx, "ps", "-q", service)
	if err != nil {
		return "", err
	}
	all := strings.Fields(ids)
	if len(all) == 0 {
		return "", fmt.Errorf("%s has no container", service)
	}
	return all[0], nil
}

// kill ends a container with SIGKILL, and sees that it ended so. Docker does not restart what was killed by hand.
func kill(ctx context.Context, container string) error {
	if err := exec.CommandContext(ctx, "docker", "kill", "--signal", "KILL", container).Run(); err != nil {
		return fmt.Errorf("kill %s: %w", container, err)
	}
	code, err := exec.CommandContext(ctx, "docker", "wait", container).Output()
	if status := strings.TrimSpace(string(code)); err == nil && status != "137" {
		return fmt.Errorf("%s ended with status %s and not by SIGKILL", container, status)
	}
	return err
}

// killService does it to one container of a service.
func (s *stack) killService(ctx context.Context, service string) error {
	container, err := s.container(ctx, service)
	if err != nil {
		return err
	}
	return kill(ctx, container)
}
