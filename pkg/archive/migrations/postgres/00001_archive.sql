-- +goose Up
CREATE TABLE position (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    log TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL,
    stored_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
INSERT INTO position VALUES (1, '', 0, 0, 0);

CREATE TABLE gaps (first BIGINT PRIMARY KEY, last BIGINT NOT NULL, forgotten BIGINT NOT NULL);

CREATE TABLE events (
    sequence BIGINT PRIMARY KEY,
    subject TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    stored_at BIGINT NOT NULL,
    headers TEXT COLLATE "C" NOT NULL,
    body BYTEA NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    order_number TEXT COLLATE "C" NOT NULL,
    problem TEXT COLLATE "C" NOT NULL,
    erased BIGINT NOT NULL
);
CREATE INDEX events_payment ON events (order_number, provider, sequence);
CREATE INDEX events_problem ON events (sequence) WHERE problem <> '';

CREATE TABLE payments (
    id BIGINT PRIMARY KEY,
    provider TEXT COLLATE "C" NOT NULL,
    order_number TEXT COLLATE "C" NOT NULL,
    operation TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    unreadable_sequence BIGINT NOT NULL,
    provider_reference TEXT COLLATE "C" NOT NULL,
    reason_code TEXT COLLATE "C" NOT NULL,
    provider_code TEXT COLLATE "C" NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    settled_minor BIGINT NOT NULL,
    settled_currency TEXT COLLATE "C" NOT NULL,
    upstream TEXT COLLATE "C" NOT NULL,
    attempts BIGINT NOT NULL,
    submits BIGINT NOT NULL,
    contested BIGINT NOT NULL,
    requested_at BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    submitted_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    resume_at BIGINT NOT NULL,
    overdue_at BIGINT NOT NULL,
    UNIQUE (order_number, provider)
);
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
    id BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    opened_at BIGINT NOT NULL,
    PRIMARY KEY (id, name)
);
CREATE INDEX payment_metadata_value ON payment_metadata (name, value, opened_at, id);
CREATE INDEX payment_metadata_name ON payment_metadata (name, opened_at, id);

CREATE TABLE erasures (
    order_number TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    erased_at BIGINT NOT NULL,
    erased_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (order_number, provider)
);
