package boundedjson

// Error says why a text is not read. It holds nothing of the text.
type Error struct {
	Problem Problem
	// Name is the path of the name that occurs twice. It was chosen by the sender: show it with care.
	Name string
	// Offset is where reading stopped, in bytes; 0 when the whole text was refused.
	Offset int
}

func (e *Error) Error() string { return string(e.Problem) }

// Problem is why a text is not read, for people.
type Problem string

// The problems. Those of the limits name the limit.
const (
	NotUTF8   Problem = "it is not UTF-8"
	Malformed Problem = "it is not well-formed JSON"
	MoreThan1 Problem = "there is more than one JSON document"
	Doubled   Problem = "a name stands twice in one object"
	TooDeep   Problem = "it is nested too deeply"
	TooMany   Problem = "it has too many values"
	LongName  Problem = "a name in it is too long"
	LongPaths Problem = "the paths to its values are too long together"
)

// Limit reports whether a problem is a limit that was passed.
func (p Problem) Limit() bool {
	return p == TooDeep || p == TooMany || p == LongName || p == LongPaths
}
