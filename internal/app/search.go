package app

import (
	"context"
	"sync"

	"payonce/pkg/archive"
	"payonce/pkg/config"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/ingress"
	"payonce/pkg/search"
)

// logEvents is how many events of the log one request searches where there is no archive: about 5 MB.
const logEvents = 5000

// newSearch returns what the ingress finds payments by. The caller calls close.
func newSearch(cfg config.Config, conn *jetstream.Conn) (find ingress.Search, close func()) {
	if !cfg.Archive.Configured() {
		return search.Log{Source: conn, Events: logEvents}, func() {}
	}
	s := &openedArchive{location: ArchiveLocation(cfg, true)}
	return s, s.close
}

// openedArchive is an archive that is opened by the first search, so that an ingress starts without it.
type openedArchive struct {
	location archive.Location

	mu    sync.Mutex
	store *archive.Store
}

func (s *openedArchive) Find(ctx context.Context, f search.Filter, after string, limit int) (search.Page, error) {
	store, err := s.open(ctx)
	if err != nil {
		return search.Page{}, err
	}
	return store.Find(ctx, f, after, limit)
}

func (s *openedArchive) open(ctx context.Context) (*archive.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store != nil {
		return s.store, nil
	}
	store, err := archive.Open(ctx, s.location)
	if err == nil {
		s.store = store
	}
	return store, err
}

func (s *openedArchive) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store != nil {
		_ = s.store.Close() // nothing was written
	}
}
