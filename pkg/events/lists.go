package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"payonce/pkg/boundedjson"
)

// leastItem is how many bytes an item of a list has at least, by the name of the list. An item takes hundreds of bytes of
// memory, also if it is "{}" in a message, so that a client that can write to NATS could make every reader allocate a few
// hundred times the length of a message. A list with more items than its length allows is not read.
var leastItem = map[string]int{
	"transfers":   32, // the amount alone has more
	"annotations": 32, // the time and the source have more
	"items":       10, // {"event":1}
}

const (
	leastOther = 4  // a text that says something, and a comma
	maxWritten = 64 // levels; an event has some six
)

// sparse reports whether a document has so few commas that its lists cost little, whatever is in them. Nearly all that we
// write are sparse, and to count is cheap.
func sparse(data []byte) bool { return bytes.Count(data, []byte(",")) < 20+len(data)/24 }

// Unmarshal reads JSON that a service of ours wrote, like [json.Unmarshal], and no list that has more items than its length
// allows. It is for messages that an attacker could have written with a stolen key.
func Unmarshal(data []byte, into any) error {
	if _, err := checkLists(data, ""); err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// checkLists makes sure that no list of a document of ours has more items than its length allows, and returns how many the
// list of a name has in the root. What is not JSON is left to encoding/json.
func checkLists(data []byte, name string) (items int, err error) {
	if sparse(data) {
		return 0, nil
	}
	root, err := boundedjson.Parse(data, boundedjson.Limits{Depth: maxWritten, Doubles: true})
	switch bad := new(boundedjson.Error); {
	case errors.As(err, &bad) && (bad.Problem == boundedjson.Malformed || bad.Problem == boundedjson.MoreThan1):
		return 0, nil
	case err != nil:
		return 0, err
	}
	for field := range root.Inner() {
		if fold(field.Name()) == name {
			items = max(items, field.Count())
		}
	}
	return items, checkInner(root)
}

func checkInner(v boundedjson.Value) error {
	if v.Kind() == boundedjson.List {
		least := max(leastOther, leastItem[fold(v.Name())])
		if n := v.Count(); n > 1+len(v.Raw())/least {
			return fmt.Errorf("a list has %d items in %d bytes", n, len(v.Raw()))
		}
	}
	for inner := range v.Inner() {
		if err := checkInner(inner); err != nil {
			return err
		}
	}
	return nil
}
