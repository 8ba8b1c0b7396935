package app

import (
	"cmp"
	"runtime/debug"
	"strings"
)

// What an image is built from is given by the linker (-X payonce/internal/app.release=…), because git is not there. Every
// other build has it from Go itself.
var release, commit, date string

// Build is what a program knows about how it was built. A part that the build did not record is empty.
type Build struct {
	Version string // of the module: a tag, or what Go derives from the last tag and the commit; "(devel)" without git
	Commit  string // 40 hexadecimal digits
	Date    string // of the commit, in RFC 3339; the same source gives the same bytes whenever it is built
}

// ThisBuild returns what this program was built from. It is safe for concurrent use.
func ThisBuild() Build {
	b := Build{Version: release, Commit: commit, Date: date}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		b.Version = cmp.Or(b.Version, "unknown")
		return b
	}
	b.Version = cmp.Or(b.Version, info.Main.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = cmp.Or(b.Commit, s.Value)
		case "vcs.time":
			b.Date = cmp.Or(b.Date, s.Value)
		}
	}
	return b
}

// String returns version, commit and date, as --version prints them.
func (b Build) String() string {
	return strings.Join(strings.Fields(b.Version+" "+b.Commit+" "+b.Date), " ")
}

// Short returns the version and the first digits of the commit, as a table shows them.
func (b Build) Short() string {
	return strings.TrimSpace(b.Version + " " + b.Commit[:min(len(b.Commit), 12)])
}

// Version returns the module's version and the commit it was built from, as far as the build knows.
func Version() string {
	b := ThisBuild()
	return strings.TrimSpace(b.Version + " " + b.Commit)
}
