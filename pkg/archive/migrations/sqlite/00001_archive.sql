-- +goose Up
CREATE TABLE position (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    log TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
INSERT INTO position VALUES (1, '', 0, 0, 0);

CREATE TABLE gaps (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, forgotten INTEGER NOT NULL) STRICT;

CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    subject TEXT NOT NULL,
    event_id TEXT NOT NULL,
    stored_at INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    provider TEXT NOT NULL,
    order_number TEXT NOT NULL,
    problem TEXT NOT NULL,
    erased INTEGER NOT NULL
) STRICT;
CREATE INDEX events_payment ON events (order_number, provider, sequence);
CREATE INDEX events_problem ON events (sequence) WHERE problem <> '';

CREATE TABLE payments (
    id INTEGER PRIMARY KEY,
    provider TEXT NOT NULL,
    order_number TEXT NOT NULL,
    operation TEXT NOT NULL,
    status TEXT NOT NULL,
    revision INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    unreadable_sequence INTEGER NOT NULL,
    provider_reference TEXT NOT NULL,
    reason_code TEXT NOT NULL,
    provider_code TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    settled_minor INTEGER NOT NULL,
    settled_currency TEXT NOT NULL,
    upstream TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    submits INTEGER NOT NULL,
    contested INTEGER NOT NULL,
    requested_at INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    submitted_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    resume_at INTEGER NOT NULL,
    overdue_at INTEGER NOT NULL,
    UNIQUE (order_number, provider)
) STRICT;
CREATE INDEX payments_opened ON payments (opened_at, id);
CREATE INDEX payments_status ON payments (status, opened_at, id);
CREATE INDEX payments_provider ON payments (provider, status, opened_at, id);
CREATE INDEX payments_provider_opened ON payments (provider, opened_at, id);
CREATE INDEX payments_operation ON payments (operation, opened_at, id);
CREATE INDEX payments_reference ON payments (provider_reference, opened_at, id);
CREATE INDEX payments_reason ON payments (reason_code, opened_at, id);
CREATE INDEX payments_amount ON payments (currency, amount_minor, opened_at, id);
CREATE INDEX payments_upstream ON payments (upstream, opened_at, id);
CREATE INDEX payments_overdue ON payments (opened_at, id) WHERE overdue_at <> 0;
CREATE INDEX payments_ended ON payments (changed_at) WHERE ended_at <> 0;

CREATE TABLE payment_metadata (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    PRIMARY KEY (id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX payment_metadata_value ON payment_metadata (name, value, opened_at, id);
CREATE INDEX payment_metadata_name ON payment_metadata (name, opened_at, id);

CREATE TABLE erasures (
    order_number TEXT NOT NULL,
    provider TEXT NOT NULL,
    erased_at INTEGER NOT NULL,
    erased_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (order_number, provider)
) STRICT;
