package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"payonce/internal/app"
)

// Secrets that an editor damaged are named all at once, wherever in the file they are asked for, and not shown.
func TestDamagedSecretsAreNamedAtOnce(t *testing.T) {
	const password = "PRIVATE-of-sixteen-bytes"
	folder := t.TempDir()
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("redis", password+" \n")
	write("gate", "\xef\xbb\xbf"+password)
	write("diamond", `"`+password+"\"\nsecond line\n")
	write("token", password+"\n")
	write("payonce.yaml", `
redis: {password_file: redis}
providers:
  ecommpay-kr:
    kind: ecommpay
    settings: {project_id: 200, secret_file: gate}
  diamondpay-kr:
    kind: diamondpay
    settings: {base_url: "https://pay.example", platform_id: PF0002, secret_file: diamond, authorization_file: token}
`)
	for _, service := range []app.Service{app.Worker(), app.Ingress()} {
		code, _, problems := call(service, "--check-config", "--config", filepath.Join(folder, "payonce.yaml"))
		if code != app.ExitUsage || strings.Contains(problems, "PRIVATE") {
			t.Errorf("code %d\n%s", code, problems)
		}
		for _, want := range []string{
			":2: redis.password_file: the secret in the file begins or ends with a space",
			":6: providers.ecommpay-kr.settings.secret_file: the secret in the file begins with a byte order mark",
			":9: providers.diamondpay-kr.settings.secret_file: the secret in the file has more than one line",
		} {
			if !strings.Contains(problems, want) {
				t.Errorf("%q is not named in:\n%s", want, problems)
			}
		}
		if strings.Contains(problems, "token") {
			t.Errorf("a good secret is named:\n%s", problems)
		}
	}
}
