package events

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// AuditLink names the record before one in AUDIT. It is written into each record, so that a record that was taken away or
// changed afterwards breaks the chain.
type AuditLink struct {
	Sequence uint64 `json:"sequence"`       // of the record before; a first record has no link
	Hash     string `json:"hash,omitempty"` // [AuditHash] of that record; empty where it was not kept any more
}

// LogState says how the log was when a record of AUDIT was written. A log that is shorter later, begins later than its
// retention explains, or has another event in that place, has lost its past.
type LogState struct {
	First    uint64    `json:"first"`
	FirstAt  time.Time `json:"first_at,omitzero"`
	Last     uint64    `json:"last"`
	LastAt   time.Time `json:"last_at,omitzero"`
	Messages uint64    `json:"messages"`
	Hash     string    `json:"hash,omitempty"` // [AuditHash] of the last event
}

// AuditHash is the hash by which a chain names a message: of its subject and body.
func AuditHash(subject string, data []byte) string {
	sum := sha256.New()
	sum.Write([]byte(subject + "\n"))
	sum.Write(data)
	return hex.EncodeToString(sum.Sum(nil))
}

const (
	// auditAccount is the first token under which the broker keeps the record of who has an account of its own, with the
	// account's name after it: "audit.operator-kim.release.teemopay-kr.D-1".
	auditAccount = "audit"
	// operatorAccount begins the names of operators' accounts.
	operatorAccount = "operator-"
	auditCopy       = "copy"
)

// AuditAccount returns the account whose name the broker wrote into the subject of a record; empty where it wrote none.
func AuditAccount(subject string) string {
	tokens := strings.Split(subject, ".")
	if len(tokens) == 5 && tokens[0] == auditAccount {
		return tokens[1]
	}
	return ""
}

// AuditFilters match the records of an action, whichever account wrote them.
func AuditFilters(action Action, provider, order string) []string {
	subject := AuditSubject(action, provider, order)
	_, rest, _ := strings.Cut(subject, ".")
	return []string{subject, join(auditAccount, "*", rest)}
}

// AccountPerson returns the name under which an account appears in AUDIT: "kim" for "operator-kim". It is empty for an
// account that is no person's.
func AccountPerson(account string) string {
	if name, ok := strings.CutPrefix(account, operatorAccount); ok {
		return name
	}
	if account == Administrator {
		return account
	}
	return ""
}

// Console is the account of a console in which people act. The server does not know who signed in there, so of its records the
// names in them count.
const Console = "console"

// AccountNamesAuthors reports whether the records of an account name a person who can be believed: the account is the person's own,
// or that of the console.
func AccountNamesAuthors(account string) bool {
	return account == Console || AccountPerson(account) != ""
}

// Administrator is the account that makes and changes streams.
const Administrator = "administrator"

// StreamAuditCopy holds the same records as AUDIT, in an account of its own that no program and no person logs in to.
const StreamAuditCopy = "AUDIT-COPY"

// CopySubject is where the copy of a record is published. The broker adds the account's name.
func CopySubject(subject string) string {
	_, rest, _ := strings.Cut(subject, ".")
	return join(auditCopy, rest)
}

// workersAccount is the account of workers. Their records are in AUDIT without an account's name.
const workersAccount = "worker"

// StoredCopySubject is where the broker keeps the copy of a record that is under subject, with the account of who wrote it.
func StoredCopySubject(subject string) string {
	account := AuditAccount(subject)
	_, rest, _ := strings.Cut(subject, ".")
	if account == "" {
		rest = join(workersAccount, rest)
	}
	return join(auditCopy, rest)
}
