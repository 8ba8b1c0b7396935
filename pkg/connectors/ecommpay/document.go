package ecommpay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"payonce/pkg/payment"
)

// node is a JSON value as it was written: names in their order, exact and without doubles, numbers as
// their literal. encoding/json alone ignores the case of names, takes the last of two and rounds.
type node struct {
	kind   kind
	text   string // of a string; the literal of a number
	names  []string
	fields map[string]*node // of an object
	items  []*node          // of a list
}

type kind int

const (
	isNull kind = iota
	isTrue
	isFalse
	isNumber
	isText
	isObject
	isList
)

// maxDepth bounds how deep a document may be nested; the provider's own have about five levels.
const maxDepth = 32

var errDocument = errors.New("not one JSON value in UTF-8 with distinct names")

// parseDocument reads one JSON value. The error says where it stops being one and quotes nothing of it, as the
// decoder's own errors do.
func parseDocument(data []byte) (*node, error) {
	if !utf8.Valid(data) {
		return nil, errDocument
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	root, err := parseValue(dec, maxDepth)
	if err == nil {
		if _, err = dec.Token(); err == io.EOF {
			return root, nil
		}
	}
	read := data[:min(dec.InputOffset(), int64(len(data)))]
	return nil, fmt.Errorf("%w: it goes wrong after line %d, byte %d", errDocument, 1+bytes.Count(read, []byte("\n")), len(read)-1-bytes.LastIndexByte(read, '\n'))
}

// parseObject reads a document that must be an object.
func parseObject(data []byte) (*node, error) {
	root, err := parseDocument(data)
	if err == nil && root.kind != isObject {
		err = errDocument
	}
	return root, err
}

func parseValue(dec *json.Decoder, depth int) (*node, error) {
	token, err := dec.Token()
	if err != nil || depth == 0 {
		return nil, errDocument
	}
	switch value := token.(type) {
	case json.Delim:
		if value == '{' {
			return parseFields(dec, depth)
		}
		return parseItems(dec, depth)
	case json.Number:
		return &node{kind: isNumber, text: value.String()}, nil
	case string:
		return &node{kind: isText, text: value}, nil
	case bool:
		if value {
			return &node{kind: isTrue}, nil
		}
		return &node{kind: isFalse}, nil
	}
	return &node{kind: isNull}, nil
}

func parseFields(dec *json.Decoder, depth int) (*node, error) {
	n := &node{kind: isObject, fields: map[string]*node{}}
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok || n.fields[name] != nil {
			return nil, errDocument
		}
		if n.fields[name], err = parseValue(dec, depth-1); err != nil {
			return nil, err
		}
		n.names = append(n.names, name)
	}
	_, err := dec.Token() // the closing brace
	return n, err
}

func parseItems(dec *json.Decoder, depth int) (*node, error) {
	n := &node{kind: isList}
	for dec.More() {
		item, err := parseValue(dec, depth-1)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
	}
	_, err := dec.Token() // the closing bracket
	return n, err
}

// at returns the value under a path of names, nil when there is none.
func (n *node) at(path ...string) *node {
	for _, name := range path {
		if n == nil {
			return nil
		}
		n = n.fields[name]
	}
	return n
}

// value returns the text or the number under a path, so that 200 and "200" are the same; anything else,
// also nothing, is empty.
func (n *node) value(path ...string) string {
	if n = n.at(path...); n != nil && (n.kind == isText || n.kind == isNumber) {
		return n.text
	}
	return ""
}

// missing reports whether there is nothing under a path, or null.
func (n *node) missing(path ...string) bool {
	n = n.at(path...)
	return n == nil || n.kind == isNull
}

// truth reports whether a value stands for true in PHP's loose ways.
func (n *node) truth(path ...string) bool {
	v := n.value(path...)
	return v == "1" || v == "true" || n.at(path...) != nil && n.at(path...).kind == isTrue
}

// seconds returns a duration in whole seconds, 0 when it is missing or something else.
func (n *node) seconds(path ...string) int {
	s, err := strconv.Atoi(n.value(path...))
	if err != nil || s < 0 || s > 365*24*3600 {
		return 0
	}
	return s
}

// won reads {"amount":10000,"currency":"KRW"}, and gives no amount when it is missing. The amounts of KRW
// are in major units without a fraction (seed 004); ".00" is read as none.
func (n *node) won(path ...string) (payment.Money, error) {
	sum := n.at(path...)
	if n.missing(path...) {
		return payment.Money{}, nil
	}
	if sum.kind != isObject || sum.value("currency") != "KRW" {
		return payment.Money{}, errors.New("not an amount of won")
	}
	whole, fraction, dotted := strings.Cut(sum.value("amount"), ".")
	if dotted && (fraction == "" || strings.Trim(fraction, "0") != "") {
		return payment.Money{}, errors.New("not a whole number of won")
	}
	return payment.ParseMoney(whole, "KRW")
}

// encode writes a value as JSON again, with its names in their order and its numbers as they were.
func (n *node) encode() []byte {
	var out []byte
	switch n.kind {
	case isObject:
		out = append(out, '{')
		for i, name := range n.names {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(append(append(out, quote(name)...), ':'), n.fields[name].encode()...)
		}
		return append(out, '}')
	case isList:
		out = append(out, '[')
		for i, item := range n.items {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, item.encode()...)
		}
		return append(out, ']')
	case isText:
		return quote(n.text)
	case isNumber:
		return []byte(n.text)
	case isTrue:
		return []byte("true")
	case isFalse:
		return []byte("false")
	}
	return []byte("null")
}

func quote(text string) []byte {
	quoted, _ := json.Marshal(text) // a string cannot fail
	return quoted
}
