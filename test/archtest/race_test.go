package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A test that does only some of its cases under the race detector does all of them elsewhere: in the packages that "make
// test" tests a second time without it, in "make costs" or in "make simulate". The archive is killed at random in each run.
func TestWhatTheRaceDetectorLeavesOutIsRun(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	whole := []string{"./test/race", "./test/alloctest", "./test/simulation", "./pkg/archive"}
	for _, line := range regexp.MustCompile(`(?m)^WHOLE\s*:=.*|-run 'Cost.*`).FindAllString(strings.ReplaceAll(string(text), "\\\n", " "), -1) {
		whole = append(whole, regexp.MustCompile(`\./[\w./]+`).FindAllString(line, -1)...)
	}
	found := 0
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(source), "\"payonce/test/race\"\n") {
			return err
		}
		found++
		folder, _ := filepath.Rel(root, filepath.Dir(path))
		if folder = "./" + filepath.ToSlash(folder); !slices.ContainsFunc(whole, func(one string) bool {
			below, all := strings.CutSuffix(one, "/...")
			return folder == one || all && strings.HasPrefix(folder+"/", below+"/")
		}) {
			t.Errorf("%s does less under the race detector, and its package is not in WHOLE of the Makefile", path)
		}
		return nil
	})
	if err != nil || found < 10 {
		t.Errorf("%d files use test/race: %v", found, err)
	}
}
