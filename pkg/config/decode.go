package config

import (
	"encoding"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"payonce/pkg/secret"
)

// decoder fills structs from YAML. It goes on after a problem, so that one run reports all of them. The YAML library's
// loading with known fields is not used because it shows values, which may be secrets, loses the index of an item
// after one that it cannot read, and takes 010 for 8; see docs/decisions/0005-own-code-or-a-library.md.
type decoder struct{ *problems }

var (
	secretType   = reflect.TypeFor[secret.Value]()
	durationType = reflect.TypeFor[time.Duration]()
	settingsType = reflect.TypeFor[*Settings]()
	prefixType   = reflect.TypeFor[netip.Prefix]()
	marginsType  = reflect.TypeFor[Margins]()
	amountType   = reflect.TypeFor[Amount]()
)

// value fills v from n. A problem leaves v as it was.
func (d decoder) value(n *yaml.Node, v reflect.Value, key string) {
	empty := n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
	_, readsText := v.Addr().Interface().(encoding.TextUnmarshaler)
	switch {
	case n.Kind == yaml.AliasNode: // reported by walk
	case v.Type() == settingsType:
		v.Set(reflect.ValueOf(&Settings{origin: d.origin, node: n, key: key}))
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), key)
	case v.Type() == marginsType && n.Kind == yaml.ScalarNode && !empty: // one value for all
		var all *time.Duration
		d.value(n, reflect.ValueOf(&all).Elem(), key)
		v.Set(reflect.ValueOf(Margins{Deposit: all, Payout: all}))
	case v.Kind() == reflect.Struct && !readsText:
		if !empty { // an empty section has only defaults
			d.mapping(n, v, key)
		}
	case empty:
		d.addAt(n.Line, key, "has no value")
	case readsText:
		d.scalar(n, v, key)
	case v.Kind() == reflect.Map:
		d.table(n, v, key)
	case v.Kind() == reflect.Slice:
		d.list(n, v, key)
	default:
		d.scalar(n, v, key)
	}
}

// mapping fills a struct. Each key of the file must be a field, or a field and "_file". A field's tag was:"name" is
// the name that it had before, which is still taken, with a warning.
func (d decoder) mapping(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.MappingNode {
		d.addAt(n.Line, key, "must be a mapping of keys to values")
		return
	}
	fields, renamed := map[string]reflect.Value{}, map[string]string{}
	fieldsOf(v, fields, renamed)
	given, written := map[string]bool{}, map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i].Value, n.Content[i+1]
		if n.Content[i].Kind != yaml.ScalarNode || written[name] {
			continue // reported by walk
		}
		written[name] = true
		at := join(key, name)
		if now, was := newName(name, renamed); was {
			d.warnOfOldName(n.Content[i].Line, at, now)
			name = now
		}
		if given[name] {
			d.addAt(n.Content[i].Line, at, "is set under its old name and as %s: set one of them", name)
			continue
		}
		given[name] = true
		base, named := strings.CutSuffix(name, fileSuffix)
		if field, known := fields[name]; known {
			d.value(value, field, at)
		} else if field, known := fields[base]; known && named && fromFile(field.Type()) {
			d.file(value, field, at)
		} else {
			d.addAt(n.Content[i].Line, at, "is not a known key; known are %s", strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
	}
	for name := range given {
		if base, named := strings.CutSuffix(name, fileSuffix); named && given[base] && fields[base].IsValid() {
			d.add(join(key, name), "excludes %s: set one of them", base)
		}
	}
}

// newName returns the name that a key has now, with its "_file", and whether it was written by an old one.
func newName(name string, renamed map[string]string) (now string, was bool) {
	if now, was = renamed[name]; was {
		return now, true
	}
	base, named := strings.CutSuffix(name, fileSuffix)
	if now, was = renamed[base]; was && named {
		return now + fileSuffix, true
	}
	return name, false
}

func (d decoder) warnOfOldName(line int, key, now string) {
	warning := Problem{File: d.origin.file, Line: line, Key: key, Text: "is called " + now + " now; the old name is still accepted"}
	if text := warning.String(); !slices.Contains(d.origin.warnings, text) { // settings are read more than once
		d.origin.warnings = append(d.origin.warnings, text)
	}
}

// fieldsOf collects the fields of a struct, those of embedded structs included, by their YAML name, and the
// names that they had before.
func fieldsOf(v reflect.Value, into map[string]reflect.Value, renamed map[string]string) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous && field.Type.Kind() == reflect.Struct {
			fieldsOf(v.Field(i), into, renamed)
		} else if name := yamlName(field); name != "" {
			into[name] = v.Field(i)
			if was := field.Tag.Get("was"); was != "" {
				renamed[was] = name
			}
		}
	}
}

// yamlName returns the key of a field, or "" for one that is in no file.
func yamlName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
	if !field.IsExported() || name == "-" {
		return ""
	}
	return name
}

func (d decoder) table(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.MappingNode {
		d.addAt(n.Line, key, "must be a mapping of names to values")
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := reflect.ValueOf(n.Content[i].Value)
		if n.Content[i].Kind != yaml.ScalarNode || v.MapIndex(name).IsValid() {
			continue // reported by walk
		}
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(n.Content[i+1], item, join(key, n.Content[i].Value))
		v.SetMapIndex(name, item)
	}
}

func (d decoder) list(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.SequenceNode {
		d.addAt(n.Line, key, "must be a list")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		d.value(item, v.Index(i), index(key, i))
	}
}

// scalar fills one value from text. No problem shows the text: it may be a secret in the wrong place.
func (d decoder) scalar(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.ScalarNode {
		d.addAt(n.Line, key, "must be a single value, not a list or a mapping")
		return
	}
	text, expanded, ok := d.expand(n, key)
	if !ok {
		return
	}
	if v.Type() == secretType && !expanded {
		d.addAt(n.Line, key, "is a secret: set it by %s or ${ENV}, not in this file", lastName(key)+fileSuffix)
		return
	}
	d.refuseSandboxKey(text, n.Line, key)
	if v.Type() == secretType {
		for _, problem := range secretProblems(text) {
			d.addAt(n.Line, key, "the secret in the environment %s", problem)
		}
	}
	// A quoted number is text, unless it was put together from the environment.
	number := expanded || n.ShortTag() == "!!int"
	if problem := set(v, text, number); problem != "" {
		d.addAt(n.Line, key, "%s", problem)
	}
}

// set parses text into v, and says what is wrong with it.
func set(v reflect.Value, text string, number bool) string {
	if target, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		switch {
		case v.Type() == secretType && text == "":
			return "is an empty secret"
		case target.UnmarshalText([]byte(text)) == nil:
			return ""
		case v.Type() == prefixType:
			return "must be a network like 203.0.113.0/24"
		case v.Type() == amountType:
			return "must be an amount like 1000000 KRW"
		}
		return "cannot be read as " + v.Type().String()
	}
	if v.Type() == durationType {
		length, ok := parseDuration(text)
		if !ok {
			return "must be a duration like 20s, 5m, 1h30m or 90d"
		}
		v.SetInt(int64(length))
		return ""
	}
	switch {
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			return "must be true or false"
		}
		v.SetBool(text == "true")
	case v.CanInt():
		whole, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil || !number {
			return "must be a whole number"
		}
		v.SetInt(whole)
	default:
		return "has an unsupported type: " + v.Type().String()
	}
	return ""
}

// parseDuration reads a Go duration that may begin with days: "20s", "90d", "1d12h".
func parseDuration(text string) (time.Duration, bool) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		length, err := time.ParseDuration(text)
		return length, err == nil
	}
	n, err := strconv.ParseUint(days, 10, 16) // 65,535 days fit a Duration
	if err != nil {
		return 0, false
	}
	if rest == "" {
		return time.Duration(n) * day, true
	}
	length, err := time.ParseDuration(rest)
	if err != nil || length < 0 || length >= day {
		return 0, false
	}
	return time.Duration(n)*day + length, true
}

// lastName returns the last name of a key's path, without an index.
func lastName(key string) string {
	key = key[strings.LastIndex(key, ".")+1:]
	name, _, _ := strings.Cut(key, "[")
	return name
}
