package config

import (
	"net/url"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

// Archive says where the archive of payments is: neither File nor URL where there is none. The program "archive" writes it; the
// ingress and payctl read it.
type Archive struct {
	// File is the database of SQLite. URL, instead, is that of PostgreSQL, which can hold a password: give it as url_file.
	File string       `yaml:"file"`
	URL  secret.Value `yaml:"url"`
	// Schema is the PostgreSQL schema of the tables.
	Schema string `yaml:"schema"`
	// Consumer is the durable consumer of the log; Batch is how many events are stored in one transaction at most.
	Consumer string `yaml:"consumer"`
	Batch    int    `yaml:"batch"`
	// Retention is how long a payment is kept after it ended and changed last; 0 is for ever.
	Retention time.Duration `yaml:"retention"`
	// CustomerField is the field of the metadata in which upstreams name the customer; empty where they don't.
	CustomerField string `yaml:"customer_field"`
	// AdminListen is as that of the ingress.
	AdminListen string `yaml:"admin_listen"`
}

// The defaults of the archive.
const (
	DefaultArchiveSchema   = "archive"
	DefaultArchiveConsumer = "archive"
	DefaultArchiveBatch    = 1000

	maxArchiveBatch = 1000 // the broker gives out no more before they are acknowledged
)

// RoleArchive needs archive.file or archive.url.
const RoleArchive Role = "archive"

// Configured reports whether there is an archive.
func (a Archive) Configured() bool { return a.File != "" || !a.URL.Empty() }

func defaultArchive() Archive {
	return Archive{Schema: DefaultArchiveSchema, Consumer: DefaultArchiveConsumer, Batch: DefaultArchiveBatch}
}

func (a Archive) validate(p *problems, log time.Duration, needed bool) {
	p.check(a.Configured() || !needed || p.has("archive.url"), "archive", "needs file (SQLite) or url (PostgreSQL)")
	p.check(a.File == "" || a.URL.Empty(), "archive.url", "must not stand beside file")
	if !a.URL.Empty() {
		at, err := url.Parse(a.URL.Reveal())
		p.check(err == nil && (at.Scheme == "postgres" || at.Scheme == "postgresql") && at.Host != "", "archive.url", "must begin with postgres:// and name a host")
	}
	p.check(payment.ValidUpstream(a.Schema), "archive.schema", `must be 1 to 64 characters of A-Z, a-z, 0-9, "_" and "-"`)
	p.check(payment.ValidUpstream(a.Consumer), "archive.consumer", `must be 1 to 64 characters of A-Z, a-z, 0-9, "_" and "-"`)
	if a.AdminListen != "" {
		p.checkAddress("archive.admin_listen", a.AdminListen, false)
	}
	p.within("archive.batch", a.Batch, 1, maxArchiveBatch)
	p.check(a.Retention >= 0, "archive.retention", "must not be negative; 0s means for ever")
	if a.Retention > 0 {
		p.notShorter("archive.retention", a.Retention, "nats.payments_retention", log, "what the log still has would be missing")
	}
}
