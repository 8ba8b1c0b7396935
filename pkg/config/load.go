package config

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"reflect"

	"go.yaml.in/yaml/v4"
)

// Source is where [Load] reads from. All of it is called during Load and [Config.Connectors] only.
type Source struct {
	// Env returns an environment variable, and whether it is set.
	Env func(name string) (string, bool)
	// ReadFile returns the content of a file.
	ReadFile func(path string) ([]byte, error)
	// Mode returns the permissions of a file, for the warning about secrets that others can read.
	Mode func(path string) (fs.FileMode, error)
}

// OS returns the source of a real process.
func OS() Source {
	return Source{Env: os.LookupEnv, ReadFile: os.ReadFile, Mode: func(path string) (fs.FileMode, error) {
		info, err := os.Stat(path)
		if err != nil {
			return 0, err
		}
		return info.Mode(), nil
	}}
}

// DefaultPath returns the configuration file of a program that is not told one: what PAYONCE_CONFIG names, else payonce.yaml in
// the working directory. Env is as in [Source].
func DefaultPath(env func(name string) (string, bool)) string {
	if path, _ := env("PAYONCE_CONFIG"); path != "" {
		return path
	}
	return "payonce.yaml"
}

// Role is a binary that uses a configuration and needs certain parts of it.
type Role string

// The roles.
const (
	RoleIngress Role = "ingress" // needs ingress.api_keys
	RoleWorker  Role = "worker"
)

// maxFile bounds the configuration and each file that it names, in bytes.
const maxFile = 1 << 20

// Load reads and validates the configuration for these roles. The error is an [*Error] with all
// problems of the file. The settings of the providers are read by [Config.Connectors]; beside an error the
// configuration is good for that alone, to learn of their problems too.
func Load(path string, source Source, roles ...Role) (Config, error) {
	c := Defaults()
	c.Redis.ClaimRetention = 0 // as long as the log, whose retention the file may set
	c.origin = &origin{file: path, source: source, lines: map[string]int{}}
	found := &problems{origin: c.origin}
	root := parse(found)
	if root != nil {
		found.walk(root, "")
		c.origin.test = environmentOf(root) == Test
		d := decoder{problems: found}
		d.value(root, reflect.ValueOf(&c).Elem(), "")
		if c.Redis.ClaimRetention == 0 && !found.has("redis.claim_retention") {
			c.Redis.ClaimRetention = c.NATS.PaymentsRetention
		}
		c.validate(found, roles)
	}
	c.origin.problems = found.list
	return c, found.err()
}

// environmentOf reads one key before all others, because it decides which secrets are taken.
func environmentOf(root *yaml.Node) string {
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "environment" {
			return root.Content[i+1].Value
		}
	}
	return ""
}

// parse returns the root of the document, or nil after a problem.
func parse(found *problems) *yaml.Node {
	data, err := found.origin.source.ReadFile(found.origin.file)
	if err != nil {
		found.addAt(0, "", "cannot be read: %v", cause(err))
		return nil
	}
	if len(data) > maxFile {
		found.addAt(0, "", "has more than %d bytes", maxFile)
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithSingleDocument(false))
	if err != nil {
		found.addAt(0, "", "cannot be read: %v", err)
		return nil
	}
	var document, second yaml.Node
	err = loader.Load(&document)
	if err == nil {
		if next := loader.Load(&second); next == nil {
			found.addAt(second.Line, "", "there is a second document")
			return nil
		} else if !errors.Is(next, io.EOF) {
			err = next
		}
	}
	var syntax *yaml.LoadError
	switch {
	case errors.As(err, &syntax):
		found.addAt(syntax.Mark.Line, "", "not YAML: %s", syntax.Message)
		return nil
	case err != nil && !errors.Is(err, io.EOF):
		found.addAt(0, "", "not YAML")
		return nil
	case len(document.Content) == 0:
		return &yaml.Node{Kind: yaml.MappingNode} // an empty file: only defaults
	}
	return document.Content[0]
}

// walk notes the line of every key, and reports what is wrong whatever the key means: doubled keys,
// and YAML that this file does without because a reader could be misled by it.
func (p *problems) walk(n *yaml.Node, path string) {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		p.addAt(n.Line, path, "anchors and aliases are not supported")
	case n.Style&yaml.TaggedStyle != 0:
		p.addAt(n.Line, path, "tags are not supported")
	}
	switch n.Kind {
	case yaml.SequenceNode:
		for i, item := range n.Content {
			p.origin.lines[index(path, i)] = item.Line
			p.walk(item, index(path, i))
		}
	case yaml.MappingNode:
		seen := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i]
			key := join(path, name.Value)
			if name.Kind != yaml.ScalarNode {
				p.addAt(name.Line, path, "a key must be a name")
				continue
			}
			if first, doubled := seen[name.Value]; doubled {
				p.addAt(name.Line, key, "occurs twice, first in line %d", first)
				continue
			}
			seen[name.Value] = name.Line
			p.origin.lines[key] = name.Line
			p.walk(n.Content[i+1], key)
		}
	}
}

// cause leaves the path out of a file's error, which is named already.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
