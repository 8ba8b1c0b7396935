-- +goose Up
CREATE INDEX payments_outcome ON payments (ended_at, status, opened_at) WHERE ended_at <> 0;
