package config

import (
	"encoding"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"payonce/pkg/secret"
)

// Summary returns the configuration as it is in effect, defaults included, in the form of the file.
// Secrets show only that they are set. The settings of providers and
// the hours of their kinds are in it after [Config.Connectors].
func (c *Config) Summary() string {
	var out strings.Builder
	writeStruct(&out, reflect.ValueOf(*c), "")
	fmt.Fprintf(&out, "# settling_delay is at least %s\n", c.Settling())
	if c.Ingress.PublicURL != "" {
		for _, name := range slices.Sorted(maps.Keys(c.Providers)) {
			fmt.Fprintf(&out, "# webhooks of %s: %s/webhooks/%s\n", name, strings.TrimSuffix(c.Ingress.PublicURL, "/"), name)
		}
	}
	return out.String()
}

// ProviderSummary returns the part of [Config.Summary] about one provider.
func (c *Config) ProviderSummary(name string) string {
	var out strings.Builder
	if provider, known := c.Providers[name]; known {
		writeStruct(&out, reflect.ValueOf(provider), "")
	}
	return out.String()
}

func writeStruct(out *strings.Builder, v reflect.Value, indent string) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous && field.Type.Kind() == reflect.Struct {
			writeStruct(out, v.Field(i), indent)
		} else if name := yamlName(field); name != "" {
			writeValue(out, name, v.Field(i), indent)
		}
	}
}

// writeValue writes one key and everything below it.
func writeValue(out *strings.Builder, name string, v reflect.Value, indent string) {
	if settings, ok := v.Interface().(*Settings); ok {
		if settings != nil && settings.read.IsValid() {
			writeValue(out, name, settings.read, indent)
		}
		return
	}
	if v.Kind() == reflect.Pointer {
		if !v.IsNil() {
			writeValue(out, name, v.Elem(), indent)
		}
		return
	}
	if text, plain := showScalar(v); plain {
		fmt.Fprintf(out, "%s%s: %s\n", indent, name, text)
		return
	}
	deeper := indent + "  "
	switch v.Kind() {
	case reflect.Struct:
		fmt.Fprintf(out, "%s%s:\n", indent, name)
		writeStruct(out, v, deeper)
	case reflect.Map:
		fmt.Fprintf(out, "%s%s:\n", indent, name)
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range keys {
			writeValue(out, key.String(), v.MapIndex(key), deeper)
		}
	case reflect.Slice:
		fmt.Fprintf(out, "%s%s:\n", indent, name)
		for i := range v.Len() {
			writeItem(out, v.Index(i), deeper)
		}
	}
}

// writeItem writes one entry of a list; the keys of a struct are below a lone dash.
func writeItem(out *strings.Builder, v reflect.Value, indent string) {
	if text, plain := showScalar(v); plain {
		fmt.Fprintf(out, "%s- %s\n", indent, text)
		return
	}
	fmt.Fprintf(out, "%s-\n", indent)
	if v.Kind() == reflect.Struct {
		writeStruct(out, v, indent+"  ")
	}
}

// showScalar returns a value that fits on one line.
func showScalar(v reflect.Value) (text string, plain bool) {
	switch x := v.Interface().(type) {
	case secret.Value:
		if x.Empty() {
			return `""`, true
		}
		return secret.Redacted, true
	case time.Duration:
		return showDuration(x), true
	case encoding.TextMarshaler:
		written, err := x.MarshalText()
		return string(written), err == nil
	}
	switch {
	case v.Kind() == reflect.String:
		return fmt.Sprintf("%q", withoutPassword(v.String())), true
	case v.Kind() == reflect.Bool:
		return fmt.Sprint(v.Bool()), true
	case v.CanInt():
		return fmt.Sprint(v.Int()), true
	case (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0:
		return map[reflect.Kind]string{reflect.Slice: "[]", reflect.Map: "{}"}[v.Kind()], true
	}
	return "", false
}

// withoutPassword hides the password of a URL, which should not be there but can be.
func withoutPassword(text string) string {
	if u, err := url.Parse(text); err == nil && u.User != nil {
		return u.Redacted()
	}
	return text
}
