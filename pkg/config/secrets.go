package config

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"payonce/pkg/payment"
)

// encodingProblem says what is wrong with how an editor saved a file, or nothing.
func encodingProblem(content []byte) string {
	switch {
	case bytes.HasPrefix(content, []byte("\xff\xfe")), bytes.HasPrefix(content, []byte("\xfe\xff")), bytes.IndexByte(content, 0) >= 0:
		return "is UTF-16 and must be UTF-8: save it again"
	case bytes.HasPrefix(content, []byte("\xef\xbb\xbf")):
		return "begins with a byte order mark: save it as UTF-8 without BOM"
	case !utf8.Valid(content):
		return "is not UTF-8"
	}
	return ""
}

// secretProblems says what editors, shells and copying added to a secret, all of it at once and nothing of the
// secret. Such a secret signs and verifies with other bytes than the provider's, and that is seen only when
// every request and every webhook is refused. text is without the line end of its last line.
func secretProblems(text string) []string {
	if problem := encodingProblem([]byte(text)); problem != "" {
		return []string{problem}
	}
	if isPEM(text) || isWrapped(text) {
		return nil
	}
	var found []string
	if strings.ContainsAny(text, "\r\n") {
		found = append(found, "has more than one line")
	}
	inner := strings.TrimFunc(text, unicode.IsSpace)
	if strings.Trim(text, "\r\n") != inner && inner != "" {
		found = append(found, "begins or ends with a space")
	}
	if inner != "" && quoted(inner) {
		found = append(found, "is in quotes, which would be part of it")
	}
	for _, r := range inner {
		if name := payment.UnseenCharacter(r); name != "" && r != '\n' && r != '\r' {
			found = append(found, "has "+name+" in it")
			break
		}
	}
	return found
}

// isPEM recognises keys, certificates and credentials of NATS, which have many lines.
func isPEM(text string) bool { return strings.Contains(text, "-----BEGIN ") }

var base64Line = regexp.MustCompile(`^[A-Za-z0-9+/]+={0,2}$`)

// isWrapped recognises a key in base64 without the lines of PEM around it: all lines but the last have one length.
func isWrapped(text string) bool {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if len(lines) < 2 || len(lines[0]) < 64 {
		return false
	}
	for i, line := range lines {
		if !base64Line.MatchString(line) || i < len(lines)-1 && len(line) != len(lines[0]) || len(line) > len(lines[0]) {
			return false
		}
	}
	return true
}

func quoted(text string) bool {
	for _, pair := range []string{`""`, `''`, "``", "“”", "‘’", "«»"} {
		open, size := utf8.DecodeRuneInString(pair)
		if len(text) > len(pair) && strings.HasPrefix(text, string(open)) && strings.HasSuffix(text, pair[size:]) {
			return true
		}
	}
	return false
}
