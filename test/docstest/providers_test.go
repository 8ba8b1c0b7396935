package docstest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/internal/app"
	"payonce/pkg/config"
	"payonce/pkg/connectors"
)

const docs = "../../docs"

var (
	linked    = regexp.MustCompile(`\]\(([^)#]+)\)`)
	quoted    = regexp.MustCompile("`([^`]+)`")
	aTest     = regexp.MustCompile(`^(Test|Fuzz)[A-Z]\w*$`)
	aHeading  = regexp.MustCompile("^## .*\\(`([a-z]+)`\\)$")
	ruler     = regexp.MustCompile(`^\|[-|]+\|$`)
	coverage  = "| how | file | test |"
	assumed   = "| because | setting |"
	noSetting = "none"
)

// row is a row of a table, with the kind of its section and the head of its table.
type row struct {
	kind, head string
	cells      []string
}

// rows returns the rows of all tables of a page.
func rows(page string) (all []row) {
	kind, head := "", ""
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		switch heading := aHeading.FindStringSubmatch(line); {
		case heading != nil:
			kind = heading[1]
		case !strings.HasPrefix(line, "|"):
			head = ""
		case head == "":
			head = line
		case !ruler.MatchString(line):
			all = append(all, row{kind, head, strings.Split(strings.Trim(line, "|"), "|")})
		}
	}
	return all
}

// problems returns what a page about providers says that is not so.
func problems(page string, kinds []connectors.Kind) (found []string) {
	note := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	tables := map[string]bool{}
	for _, r := range rows(page) {
		switch {
		case strings.HasSuffix(r.head, coverage):
			tables[r.kind+" covered"] = true
			for _, problem := range covered(r) {
				note("%s: %s", r.cells[0], problem)
			}
		case strings.HasSuffix(r.head, assumed):
			tables[r.kind+" assumed"] = true
			for _, problem := range settable(r, kinds) {
				note("%s: %s", r.cells[0], problem)
			}
		default:
			note("a table with the head %s is not checked", r.head)
		}
	}
	for _, kind := range kinds {
		for _, table := range []string{" covered", " assumed"} {
			if !tables[kind.Name+table] {
				note("the kind %s has no table of what is%s", kind.Name, table)
			}
		}
	}
	return found
}

// covered tests a row: its files are there, and its tests are in the packages of these files.
func covered(r row) (found []string) {
	if len(r.cells) != 4 {
		return []string{"the row has not four cells"}
	}
	var here []string
	files := linked.FindAllStringSubmatch(r.cells[2], -1)
	for _, file := range files {
		path := filepath.Join(docs, file[1])
		if _, err := os.Stat(path); err != nil {
			found = append(found, "there is no file "+file[1])
		}
		here = append(here, testsIn(filepath.Dir(path))...)
	}
	tests := quoted.FindAllStringSubmatch(r.cells[3], -1)
	for _, test := range tests {
		if !aTest.MatchString(test[1]) || !slices.Contains(here, test[1]) {
			found = append(found, "there is no test "+test[1])
		}
	}
	if len(files) == 0 || len(tests) == 0 {
		found = append(found, "no file or no test is named")
	}
	return found
}

// settable tests a row: its settings are keys of the kind.
func settable(r row, kinds []connectors.Kind) (found []string) {
	if len(r.cells) != 3 {
		return []string{"the row has not three cells"}
	}
	names := quoted.FindAllStringSubmatch(r.cells[2], -1)
	for _, name := range names {
		if r.kind == "" { // of all providers: keys beside the settings
			if !slices.Contains(providerKeys(), name[1]) {
				found = append(found, "a provider has no key "+name[1])
			}
			continue
		}
		if !slices.Contains(keysOf(r.kind, kinds), name[1]) {
			found = append(found, "the kind "+r.kind+" has no setting "+name[1])
		}
	}
	if len(names) == 0 && strings.TrimSpace(r.cells[2]) != noSetting {
		found = append(found, "it names no setting and does not say "+noSetting)
	}
	return found
}

// providerKeys returns the keys of every provider in the configuration, with those that are within them, and
// settling_delay, which every kind has.
func providerKeys() (keys []string) {
	var add func(prefix string, typ reflect.Type)
	add = func(prefix string, typ reflect.Type) {
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("yaml"), ",")
			if name == "" || name == "-" {
				continue
			}
			keys = append(keys, prefix+name)
			if field := typ.Field(i).Type; field.Kind() == reflect.Struct {
				add(prefix+name+".", field)
			}
		}
	}
	add("", reflect.TypeFor[config.Provider]())
	return append(keys, "settling_delay")
}

// read holds what [testsIn] has found.
var read = map[string][]string{}

// testsIn returns the names of the test functions of a folder.
func testsIn(folder string) (names []string) {
	if names, known := read[folder]; known {
		return names
	}
	defer func() { read[folder] = names }()
	files, _ := filepath.Glob(filepath.Join(folder, "*_test.go"))
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil // nothing is found in it then
		}
		for _, decl := range tree.Decls {
			if function, ok := decl.(*ast.FuncDecl); ok && function.Recv == nil {
				names = append(names, function.Name.Name)
			}
		}
	}
	return names
}

// keysOf returns the settings of a kind, from the type that it reads them into.
func keysOf(name string, kinds []connectors.Kind) (keys []string) {
	for _, kind := range kinds {
		if kind.Name != name {
			continue
		}
		_, _ = kind.New("any", func(settings any) error { // it ends with our error
			fields := reflect.TypeOf(settings).Elem()
			for i := range fields.NumField() {
				keys = append(keys, fields.Field(i).Tag.Get("yaml"))
			}
			return errors.New("enough")
		}, time.Now)
	}
	return keys
}

func TestProvidersPageIsTrue(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(docs, "providers.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems(string(page), app.Kinds()) {
		t.Error(problem)
	}
}

// Every kind of lie on the page is seen.
func TestLiesOnTheProvidersPageAreSeen(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(docs, "providers.md"))
	if err != nil {
		t.Fatal(err)
	}
	for lie, change := range map[string][2]string{
		"there is no file":             {"teemopay/codes.go)", "teemopay/cods.go)"},
		"there is no test TestCods":    {"`TestCodes`", "`TestCods`"},
		"there is no test settings":    {"`TestCodes`", "`settings`"},
		"has no key setling_delay":     {"`settling_delay`", "`setling_delay`"},
		"has no setting bank_cache":    {"`bank_list_cache`", "`bank_cache`"},
		"has no table of what is cove": {"(`teemopay`)", "(teemopay)"},
		"is not checked":               {"| because | setting |", "| why | setting |"},
		"no file or no test is named":  {"| `TestBanks` |", "| |"},
		"it names no setting":          {"| none |", "| |"},
	} {
		text := strings.Replace(string(page), change[0], change[1], 1)
		if text == string(page) {
			t.Errorf("%q is not on the page", change[0])
		}
		if found := strings.Join(problems(text, app.Kinds()), "\n"); !strings.Contains(found, lie) {
			t.Errorf("%q is not seen: %s", lie, found)
		}
	}
}
