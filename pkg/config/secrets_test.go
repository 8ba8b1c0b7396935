package config_test

import (
	"strings"
	"testing"

	"payonce/pkg/config"
)

// pemKey and wrappedKey have many lines and are good.
const pemKey = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"

var wrappedKey = strings.Repeat("A", 64) + "\n" + strings.Repeat("b", 64) + "\n" + strings.Repeat("/", 20) + "==\n"

// What editors and shells add to a secret is named, all of it at once, and never the secret.
func TestDamagedSecretsAreNamed(t *testing.T) {
	utf16 := func(order string) string {
		out := map[string]string{"le": "\xff\xfe", "be": "\xfe\xff", "le without mark": ""}[order]
		for _, r := range password {
			if order == "be" {
				out += "\x00" + string(r)
			} else {
				out += string(r) + "\x00"
			}
		}
		return out
	}
	for content, want := range map[string][]string{
		password: nil, password + "\n": nil, password + "\r\n": nil, pemKey: nil, pemKey + "\n": nil, wrappedKey: nil, strings.ReplaceAll(wrappedKey, "\n", "\r\n"): nil,
		"pass phrase of many words": nil, `half"quoted-password`: nil,
		password + " ": {"begins or ends with a space"}, " " + password: {"begins or ends with a space"}, "\t" + password + "\n": {"begins or ends with a space"},
		password + " \n": {"begins or ends with a space"}, password + "\u00a0": {"begins or ends with a space"},
		password + "\n\n": {"has more than one line"}, password + "\nsecond": {"has more than one line"}, "# comment\n" + password: {"has more than one line"},
		"\n" + password: {"has more than one line"}, password + "\r": nil,
		`"` + password + `"`: {"is in quotes, which would be part of it"}, "'" + password + "'\n": {"is in quotes, which would be part of it"}, "“" + password + "”": {"is in quotes, which would be part of it"},
		"\xef\xbb\xbf" + password: {"begins with a byte order mark: save it as UTF-8 without BOM"}, "\xef\xbb\xbf" + pemKey: {"begins with a byte order mark: save it as UTF-8 without BOM"},
		utf16("le"): {"is UTF-16 and must be UTF-8: save it again"}, utf16("be"): {"is UTF-16 and must be UTF-8: save it again"}, utf16("le without mark"): {"is UTF-16 and must be UTF-8: save it again"},
		password + "\xff": {"is not UTF-8"}, password + "\u200b" + password: {"has a zero-width space in it"}, password + "\x1b[0m": {"has a control character in it"},
		` "` + password + `" ` + "\n\n":                          {"begins or ends with a space", "has more than one line", "is in quotes, which would be part of it"},
		strings.Repeat("A", 64) + "\n" + strings.Repeat("b", 65): {"has more than one line"},
	} {
		_, err := config.Load(testFile, fake(least+"redis: {password_file: pw}\n", nil, map[string]string{"conf/pw": content}))
		checkSecretProblems(t, content, err, "redis.password_file: the secret in the file ", want)
		if strings.HasSuffix(content, "\n") || strings.Contains(content, "\x00") { // a variable has no line end of its own and no NUL
			continue
		}
		_, err = config.Load(testFile, fake(least+"redis: {password: \"${PW}\"}\n", map[string]string{"PW": content}, nil))
		if content == password+"\r" {
			want = []string{"has more than one line"}
		}
		checkSecretProblems(t, content, err, "redis.password: the secret in the environment ", want)
	}
}

func checkSecretProblems(t *testing.T, content string, err error, prefix string, want []string) {
	t.Helper()
	var have []string
	if err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			_, problem, found := strings.Cut(line, prefix)
			if !found {
				t.Errorf("%q: another problem: %s", content, line)
			}
			have = append(have, problem)
		}
		if strings.Contains(err.Error(), password) {
			t.Errorf("the secret is shown: %v", err)
		}
	}
	for _, problem := range want {
		if !strings.Contains("\n"+strings.Join(have, "\n")+"\n", "\n"+problem+"\n") {
			t.Errorf("%q: have %q, want %q", content, have, want)
		}
	}
	if len(have) != len(want) {
		t.Errorf("%q: have %q, want %q", content, have, want)
	}
}

// A file that is not a secret is recognised only by how it was saved.
func TestTextFilesAreUTF8(t *testing.T) {
	for content, want := range map[string]string{
		"text\n": "", "\xef\xbb\xbftext": "begins with a byte order mark", "\xff\xfet\x00": "is UTF-16",
	} {
		_, err := config.Load(testFile, fake(least+"log: {format_file: f}\n", nil, map[string]string{"conf/f": content}))
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), "log.format_file: the file "+want) {
			t.Errorf("%q: %v", content, err)
		}
	}
}
