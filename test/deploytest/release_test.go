package deploytest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"payonce/test/testenv"
)

// TestRelease builds a release of one program for this machine, as make release builds all, and looks into the archive.
func TestRelease(t *testing.T) {
	if runtime.GOOS != "linux" { // for which the programs are, so that one is run
		return
	}
	dist := filepath.Join(t.TempDir(), "dist")
	cmd := exec.CommandContext(t.Context(), "make", "release", "IMAGE=none", "PROGRAMS=payctl", "ARCHES="+runtime.GOARCH, "DIST="+dist,
		"VERSION=9.8.7-test", "COMMIT="+strings.Repeat("0a", 20), "DATE=2026-01-02T03:04:05Z")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make release: %v\n%s", err, out)
	}
	name := "payonce-9.8.7-test-linux-" + runtime.GOARCH
	archived, err := os.ReadFile(filepath.Join(dist, name+".tar.gz"))
	testenv.Must(t, err)
	sums, err := os.ReadFile(filepath.Join(dist, "SHA256SUMS"))
	testenv.Must(t, err)
	if sum := sha256.Sum256(archived); string(sums) != hex.EncodeToString(sum[:])+"  "+name+".tar.gz\n" {
		t.Errorf("SHA256SUMS: %s", sums)
	}
	files := untar(t, archived)
	for _, file := range []string{"LICENSE", "README.md", "SECURITY.md", "UPGRADING.md", "CHANGELOG.md", "payonce.example.yaml", "docs/install.md", "deploy/nats/accounts.conf"} {
		if len(files[name+"/"+file]) == 0 {
			t.Errorf("%s is missing", file)
		}
	}
	program := files[name+"/payctl"]
	static(t, program)
	says(t, program, "version", "9.8.7-test "+strings.Repeat("0a", 20)+" 2026-01-02T03:04:05Z")
	listsModules(t, program, files[name+"/sbom/payctl.cdx.json"])
}

func untar(t *testing.T, archived []byte) map[string][]byte {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(archived))
	testenv.Must(t, err)
	files := map[string][]byte{}
	for in := tar.NewReader(unzipped); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		testenv.Must(t, err)
		if h.Uid != 0 || h.Gid != 0 || h.ModTime.UTC().Format("2006-01-02T15:04:05Z") != "2026-01-02T03:04:05Z" || h.Mode&0o022 != 0 {
			t.Errorf("%s: owner %d:%d, mode %o, time %s: another build has other bytes", h.Name, h.Uid, h.Gid, h.Mode, h.ModTime)
		}
		files[path.Clean(h.Name)], err = io.ReadAll(in)
		testenv.Must(t, err)
	}
}

// static wants a program that needs no file of the machine.
func static(t *testing.T, program []byte) {
	t.Helper()
	file, err := elf.NewFile(bytes.NewReader(program))
	testenv.Must(t, err)
	if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) > 0 || file.Section(".interp") != nil {
		t.Errorf("it needs %v (%v)", libraries, err)
	}
}

func says(t *testing.T, program []byte, argument, want string) {
	t.Helper()
	at := filepath.Join(t.TempDir(), "program")
	testenv.Must(t, os.WriteFile(at, program, 0o700))
	if out, err := exec.CommandContext(t.Context(), at, argument).CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
		t.Errorf("%s: %v\n%s\nwant %s", argument, err, out, want)
	}
}

// listsModules wants an SBOM of exactly the modules that are in the program, and no time of the build, which another build has not.
func listsModules(t *testing.T, program, sbom []byte) {
	t.Helper()
	var bom struct {
		BOMFormat   string `json:"bomFormat"`
		SpecVersion string `json:"specVersion"`
		Metadata    struct {
			Timestamp string
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Version, PURL string }
	}
	testenv.Must(t, json.Unmarshal(sbom, &bom))
	if bom.BOMFormat != "CycloneDX" || bom.SpecVersion == "" || bom.Metadata.Timestamp != "" || bom.Metadata.Component.Name != "payonce" || bom.Metadata.Component.Version != "9.8.7-test" {
		t.Errorf("the SBOM is %s %s of %+v", bom.BOMFormat, bom.SpecVersion, bom.Metadata)
	}
	info, err := buildinfo.Read(bytes.NewReader(program))
	testenv.Must(t, err)
	listed := map[string]bool{}
	for _, c := range bom.Components {
		listed[c.Name+"@"+c.Version] = strings.HasPrefix(c.PURL, "pkg:golang/")
	}
	for _, module := range info.Deps {
		if !listed[module.Path+"@"+module.Version] {
			t.Errorf("the SBOM lacks %s %s", module.Path, module.Version)
		}
		delete(listed, module.Path+"@"+module.Version)
	}
	std := "std@" + info.GoVersion
	if !listed[std] {
		t.Errorf("the SBOM lacks %s", std)
	}
	delete(listed, std)
	if len(listed) > 0 || len(info.Deps) < 10 {
		t.Errorf("the SBOM lists what is not in the program: %v", listed)
	}
}
