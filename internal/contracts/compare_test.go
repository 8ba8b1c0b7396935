package contracts

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
)

// direction says who is bound by a schema.
type direction int

const (
	weWrite direction = iota // others read it: nothing that they could rely on may go
	weRead                   // others write it: nothing that they may write may be refused
)

// annotations are keywords that no instance can break.
var annotations = []string{"$schema", "$comment", "title", "description", "examples", "deprecated"}

// breaks lists what in a schema breaks those who know the old one. Only additions are allowed: another
// property, another value of an enum. It knows no finer rules: what is not plainly an addition is told.
func breaks(at string, was, is any, d direction) []string {
	old, isObject := was.(map[string]any)
	now, stillObject := is.(map[string]any)
	if !isObject || !stillObject {
		if reflect.DeepEqual(was, is) {
			return nil
		}
		return []string{fmt.Sprintf("%s: was changed", cmp.Or(at, "the schema"))}
	}
	var found []string
	for _, keyword := range keysOf(old, now) {
		if slices.Contains(annotations, keyword) {
			continue
		}
		before, had := old[keyword]
		after, has := now[keyword]
		path := at + "/" + keyword
		switch {
		case !has && keyword == "required" && d == weRead:
		case !has:
			found = append(found, path+": was removed")
		case !had && keyword == "required" && d == weWrite:
		case !had:
			found = append(found, path+": is a new rule")
		default:
			found = append(found, keywordBreaks(path, keyword, before, after, d)...)
		}
	}
	return found
}

func keywordBreaks(path, keyword string, before, after any, d direction) (found []string) {
	switch keyword {
	case "properties", "$defs", "patternProperties":
		old, now := before.(map[string]any), after.(map[string]any)
		for _, name := range keysOf(old, nil) {
			if _, has := now[name]; !has {
				found = append(found, path+"/"+name+": was removed")
				continue
			}
			found = append(found, breaks(path+"/"+name, old[name], now[name], d)...)
		}
	case "enum":
		for _, value := range missing(before, after) {
			found = append(found, fmt.Sprintf("%s: %v was removed", path, value))
		}
	case "required":
		gone, added := missing(before, after), missing(after, before)
		if d == weWrite && len(gone) > 0 {
			found = append(found, fmt.Sprintf("%s: %v can be missing now", path, gone))
		}
		if d == weRead && len(added) > 0 {
			found = append(found, fmt.Sprintf("%s: %v is needed now", path, added))
		}
	case "allOf", "anyOf", "oneOf", "prefixItems":
		old, now := before.([]any), after.([]any)
		if len(old) != len(now) {
			return []string{path + ": has another length"}
		}
		for i := range old {
			found = append(found, breaks(fmt.Sprintf("%s/%d", path, i), old[i], now[i], d)...)
		}
	default:
		found = breaks(path, before, after, d)
	}
	return found
}

// missing returns what is in one list and not in the other.
func missing(from, in any) (gone []any) {
	for _, value := range from.([]any) {
		if !slices.ContainsFunc(in.([]any), func(other any) bool { return reflect.DeepEqual(value, other) }) {
			gone = append(gone, value)
		}
	}
	return gone
}

func keysOf(maps ...map[string]any) []string {
	var keys []string
	for _, m := range maps {
		for key := range m {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
