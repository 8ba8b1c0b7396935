-- +goose Up
CREATE INDEX payments_parked ON payments (status, resume_at) WHERE status = 'parked';
