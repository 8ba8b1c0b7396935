package archtest

import "strings"

// rule forbids imports. Patterns are import paths within the module, or of other modules; "/..." at the
// end means the path and everything below it.
type rule struct {
	of     []string // packages that the rule is about
	except []string // of these, packages that it is not about
	ban    []string // what they must not import
	allow  []string // of these, what they may import
	// direct means that only the package's own imports count. Otherwise everything that would be
	// linked counts.
	direct bool
	reason string
}

const (
	nats      = "github.com/nats-io/..."
	goRedis   = "github.com/redis/..."
	miniredis = "github.com/alicebob/..."
	yamlV4    = "go.yaml.in/..."
	jetstream = "pkg/events/jetstream/..."
	redis     = "pkg/idempotency/redis/..."
	budget    = "pkg/limits/redis/..."
)

// databases are the drivers of the archive.
var databases = []string{"modernc.org/...", "github.com/jackc/...", "github.com/pressly/..."}

// notKinds are packages below pkg/connectors that are no provider: connectors may import them.
var notKinds = []string{
	"pkg/connectors/check", "pkg/connectors/connectortest", "pkg/connectors/httpcall", "pkg/connectors/masking", "pkg/connectors/signedtext",
	"pkg/connectors/strictjson",
}

var core = []string{
	"pkg/payment/...", "pkg/events", "pkg/queue", "pkg/connectors", "pkg/idempotency", "pkg/secret", "pkg/calendar/...", "pkg/reconcile", "pkg/limits", "pkg/status",
}

var rules = []rule{
	{
		of: []string{"..."}, except: []string{jetstream, "test/natstest", "test/jetstreamtest", "test/load", "test/bench/...", "internal/app", "test/campaign", "internal/credentials", "cmd/demo/...", "examples/..."},
		ban: []string{nats}, direct: true,
		reason: "only pkg/events/jetstream knows the broker, so that its traps are handled in one place",
	},
	{
		of: []string{"..."}, except: []string{redis, budget, "test/redistest", "test/bench/...", "internal/app", "cmd/demo/..."},
		ban: []string{goRedis}, direct: true,
		reason: "only pkg/idempotency/redis and pkg/limits/redis know Redis: a retry of go-redis in the wrong place makes a claim lie",
	},
	{
		of: []string{"..."}, except: []string{"pkg/archive"}, ban: databases, direct: true,
		reason: "only pkg/archive knows the databases: what it writes, and in one transaction with what, is decided in one place",
	},
	{
		of: []string{"pkg/archive"}, ban: []string{nats, goRedis, jetstream, "pkg/worker/...", "pkg/connectors/...", "pkg/ingress/..."},
		reason: "the archive reads the log by a port and decides nothing",
	},
	{
		of: []string{"pkg/endpoints"}, ban: []string{nats, goRedis, jetstream, "pkg/worker/...", "pkg/connectors/...", "pkg/ingress/...", "pkg/config"},
		reason: "what opens connections to hosts that others choose knows no provider, no store and no broker",
	},
	{
		of: core, ban: []string{nats, goRedis, miniredis, yamlV4, jetstream, redis, budget, "pkg/connectors/..."}, allow: []string{"pkg/connectors", "pkg/connectors/check"},
		reason: "the rules about money build and are tested without a broker, a store, a provider or a file format",
	},
	{
		of: []string{"pkg/payment/..."}, ban: []string{"...", "third party"},
		allow:  []string{"pkg/payment/...", "golang.org/x/text/unicode/norm", "golang.org/x/text/transform"},
		reason: "the domain knows nothing but the standard library, and Unicode's normal forms, which are missing there",
	},
	{
		of: []string{"pkg/boundedjson"}, ban: []string{"...", "third party"},
		reason: "what reads the bytes of outsiders can be read and fuzzed alone",
	},
	{
		of: []string{"pkg/worker/...", "pkg/reconcile/...", "pkg/ingress/..."}, ban: []string{nats, goRedis, miniredis, jetstream, redis, budget},
		reason: "engines see ports, so that every fault can be played in a test",
	},
	{
		of: []string{"pkg/connectors/..."}, except: append([]string{"pkg/connectors"}, notKinds...),
		ban:    []string{"pkg/connectors/...", "pkg/worker/...", "pkg/ingress/...", "pkg/config/...", "pkg/sandbox/...", jetstream, redis, nats, goRedis},
		allow:  append([]string{"pkg/connectors", "self"}, notKinds...),
		reason: "a connector speaks one provider's protocol and can be read, tested and removed alone",
	},
	{
		of: []string{"pkg/connectors/check", "pkg/connectors/masking", "pkg/connectors/signedtext", "pkg/connectors/strictjson"}, ban: []string{"..."},
		allow:  []string{"pkg/payment", "pkg/boundedjson"},
		reason: "what connectors share knows no provider, no port and none of the others, so that each can be read alone",
	},
	{
		of: []string{"pkg/connectors/..."}, ban: []string{"log/slog", "log"}, direct: true,
		reason: "a connector returns what it learned; who calls it writes the log, without personal data",
	},
	{
		of: []string{"pkg/sandbox/..."}, ban: []string{"pkg/connectors/..."},
		reason: "a simulator is written from the provider's documents: with our own code in it, one mistake would be made twice and seen by no test",
	},
	{
		of: []string{"examples/..."}, ban: []string{"pkg/...", "cmd/...", "internal/..."}, allow: []string{"pkg/client"}, direct: true,
		reason: "an example shows what others can do, who have the contracts and the client, and nothing else of our code",
	},
	{
		of: []string{"pkg/..."}, ban: []string{"cmd/...", "internal/app/..."},
		reason: "wiring knows the packages, never the other way round",
	},
	{
		of:     []string{"cmd/worker/...", "cmd/ingress/...", "internal/app/..."},
		ban:    []string{"pkg/sandbox/...", "testing", miniredis, "github.com/nats-io/nats-server/..."},
		reason: "a simulator or a test server that can be reached in production lets anyone settle payments",
	},
}

// matches reports whether the path of a package matches one of the patterns. self is the package that
// imports it.
func matches(path, self string, patterns []string) bool {
	for _, pattern := range patterns {
		prefix, below := strings.CutSuffix(pattern, "...")
		switch {
		case pattern == "self":
			if path == self || strings.HasPrefix(path, self+"/") {
				return true
			}
		case pattern == "...":
			if inside(path) {
				return true
			}
		case pattern == "third party":
			if strings.Contains(strings.Split(path, "/")[0], ".") {
				return true
			}
		case path == pattern || below && (path == strings.TrimSuffix(prefix, "/") || strings.HasPrefix(path, prefix)):
			return true
		}
	}
	return false
}

// inside reports whether a path is one of this module's packages.
func inside(path string) bool {
	top, _, _ := strings.Cut(path, "/")
	return top == "pkg" || top == "cmd" || top == "test" || top == "internal" && path != "internal"
}
