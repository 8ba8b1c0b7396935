package payctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"payonce/pkg/secret"
)

// maxInput bounds a body and a key file, in bytes.
const maxInput = 1 << 20

// readSecret reads what --secret names: @FILE (one line end at its end is left out), env:NAME, or the
// secret itself, which is warned of.
func readSecret(env Env, given string) (secret.Value, error) {
	text := given
	switch {
	case given == "":
		return secret.Value{}, usagef("--secret is required: @FILE, env:NAME, or the secret itself")
	case strings.HasPrefix(given, "@"):
		content, err := readLimited(given[1:])
		if err != nil {
			return secret.Value{}, usagef("--secret: %w", err)
		}
		text = strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	case strings.HasPrefix(given, "env:"):
		value, set := env.LookupEnv(given[len("env:"):])
		if !set {
			return secret.Value{}, usagef("--secret: environment variable %s is not set", given[len("env:"):])
		}
		text = value
	default:
		_, _ = fmt.Fprintln(env.Stderr, "payctl: warning: the secret is in the command line and in the shell's history: use @FILE or env:NAME")
	}
	if text == "" {
		return secret.Value{}, usagef("--secret is empty")
	}
	return secret.New(text), nil
}

func readLimited(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	content, err := readAll(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return content, nil
}

// readInput reads the standard input, and gives up when ctx ends: nothing else ends a read from a terminal.
func readInput(ctx context.Context, r io.Reader) ([]byte, error) {
	type input struct {
		content []byte
		err     error
	}
	read := make(chan input, 1)
	go func() {
		content, err := readAll(r)
		read <- input{content, err}
	}()
	select {
	case in := <-read:
		return in.content, in.err
	case <-ctx.Done():
		return nil, errors.New("interrupted")
	}
}

// readAll reads at most maxInput bytes and refuses more.
func readAll(r io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxInput {
		return nil, fmt.Errorf("has more than %d bytes", maxInput)
	}
	return content, nil
}
