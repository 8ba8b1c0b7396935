package ecommpay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"payonce/pkg/boundedjson"
	"payonce/pkg/payment"
)

// node is a JSON value as it was written: names in their order, exact and without doubles, numbers as
// their literal. The zero node is none.
type node struct{ boundedjson.Value }

// The limits of what is read. The provider's own documents have about five levels, and names of up to 40 bytes; a
// callback has some 100 values, and an answer some 30 for each operation of a payment.
var (
	webhookLimits = boundedjson.Limits{Depth: 32, Values: 1024, Name: 128}
	answerLimits  = boundedjson.Limits{Depth: 32, Values: 4096, Name: 128}
)

// fewValues and bytesOfValue bound the values by the length of what is received, too: each costs some time to be sorted and
// hashed, also a single digit. The provider's published documents have 14 or more bytes for each.
const (
	fewValues    = 64
	bytesOfValue = 8
)

// parseReceived reads an object that is to be verified.
func parseReceived(data []byte, limits boundedjson.Limits) (node, error) {
	limits.Values = min(limits.Values, fewValues+len(data)/bytesOfValue)
	return parseObject(data, limits)
}

var errDocument = errors.New("not one JSON value in UTF-8 with distinct names")

// parseDocument reads one JSON value. The error says where it stops being one, or which limit it passes, and quotes
// nothing of it.
func parseDocument(data []byte, limits boundedjson.Limits) (node, error) {
	v, err := boundedjson.Parse(data, limits)
	var bad *boundedjson.Error
	switch {
	case err == nil:
		return node{v}, nil
	case !errors.As(err, &bad):
		return node{}, errDocument
	case bad.Problem.Limit():
		return node{}, errors.New("not read: " + bad.Error())
	}
	read := data[:bad.Offset]
	return node{}, fmt.Errorf("%w: syntax error after line %d, byte %d", errDocument, 1+bytes.Count(read, []byte("\n")), len(read)-1-bytes.LastIndexByte(read, '\n'))
}

// parseObject reads a document that must be an object.
func parseObject(data []byte, limits boundedjson.Limits) (node, error) {
	root, err := parseDocument(data, limits)
	if err == nil && root.Kind() != boundedjson.Object {
		return node{}, errDocument
	}
	return root, err
}

func (n node) exists() bool { return n.Kind() != boundedjson.Nothing }

// at returns the value under a path of names, none when there is none.
func (n node) at(path ...string) node {
	for _, name := range path {
		n = node{n.Get(name)}
	}
	return n
}

// value returns the text or the number under a path, so that 200 and "200" are the same; anything else,
// also nothing, is empty.
func (n node) value(path ...string) string {
	return n.at(path...).Text()
}

// told is value for what people are told of, and for what must not be taken for missing: an object or a list is told as its JSON. An
// empty one says nothing: PHP writes an array without anything in it so.
func (n node) told(path ...string) string {
	at := n.at(path...)
	if kind := at.Kind(); (kind == boundedjson.Object || kind == boundedjson.List) && !at.Empty() {
		return at.Raw()
	}
	return at.Text()
}

// missing reports whether there is nothing under a path, or null.
func (n node) missing(path ...string) bool {
	kind := n.at(path...).Kind()
	return kind == boundedjson.Nothing || kind == boundedjson.Null
}

// truth reports whether a value stands for true in PHP's loose ways.
func (n node) truth(path ...string) bool {
	v := n.value(path...)
	return v == "1" || v == "true" || n.at(path...).Kind() == boundedjson.True
}

// seconds returns a duration in whole seconds, 0 when it is missing or something else.
func (n node) seconds(path ...string) int {
	s, err := strconv.Atoi(n.value(path...))
	if err != nil || s < 0 || s > 365*24*3600 {
		return 0
	}
	return s
}

// won reads {"amount":10000,"currency":"KRW"}, and gives no amount when it is missing. The amounts of KRW
// are in major units without a fraction (Korean banks page); ".00" is read as none.
func (n node) won(path ...string) (payment.Money, error) {
	sum := n.at(path...)
	if n.missing(path...) {
		return payment.Money{}, nil
	}
	if sum.Kind() != boundedjson.Object || sum.value("currency") != "KRW" {
		return payment.Money{}, errors.New("not an amount of won")
	}
	whole, fraction, dotted := strings.Cut(sum.value("amount"), ".")
	if dotted && (fraction == "" || strings.Trim(fraction, "0") != "") {
		return payment.Money{}, errors.New("not a whole number of won")
	}
	return payment.ParseMoney(whole, "KRW")
}

// appendJSON appends a value as JSON, without blanks, with its names in their order and its numbers as they were.
func appendJSON(out []byte, v boundedjson.Value) []byte {
	open, end := byte('['), byte(']')
	switch v.Kind() {
	case boundedjson.Object:
		open, end = '{', '}'
	case boundedjson.List:
	case boundedjson.Text:
		return append(out, quote(v.Text())...)
	default:
		return append(out, v.Raw()...)
	}
	out = append(out, open)
	first := true
	for inner := range v.Inner() {
		if !first {
			out = append(out, ',')
		}
		if first = false; v.Kind() == boundedjson.Object {
			out = append(append(out, quote(inner.Name())...), ':')
		}
		out = appendJSON(out, inner)
	}
	return append(out, end)
}

func quote(text string) []byte {
	quoted, _ := json.Marshal(text) // a string cannot fail
	return quoted
}
