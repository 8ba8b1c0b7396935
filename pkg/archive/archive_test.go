package archive_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"payonce/pkg/archive"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
	"payonce/test/natstest"
	"payonce/test/pgtest"
	"payonce/test/race"
)

var crashEvents = flag.Int("archive-events", race.Share(3000, 3), "how many events are written while archives are killed")

// write appends n events of payments of two events each to the log, from several goroutines.
func write(t testing.TB, conn *jetstream.Conn, prefix string, n int) {
	t.Helper()
	var all sync.WaitGroup
	for part := range 4 {
		all.Go(func() {
			for i := part; i < n/2; i += 4 {
				p := deposit(fmt.Sprintf("%s-%d", prefix, i), payment.Submitting, 1)
				seq, err := conn.Append(t.Context(), p, 0)
				if err == nil {
					p.Status, p.Revision = payment.Settled, 2
					_, err = conn.Append(t.Context(), p, seq)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// eventually waits until it holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(timeout); !holds(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatal("waited too long for " + what)
		}
	}
}

// caughtUp waits until the archive has all of the log.
func caughtUp(t testing.TB, s *archive.Store, log archive.Log) archive.Status {
	t.Helper()
	var st archive.Status
	eventually(t, "the archive to catch up", func() bool {
		var err error
		st, err = s.Status(t.Context(), log)
		return err == nil && st.Lag == 0 && st.Waiting == 0
	})
	return st
}

// running runs an archive until the returned function is called or the test ends.
func running(t testing.TB, conn *jetstream.Conn, place archive.Place) (a *archive.Archiver, stop func()) {
	t.Helper()
	a, err := archiver(conn, place)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the archive ended: %v", err)
		}
	})
	t.Cleanup(stop)
	return a, stop
}

// An archive that is killed again and again while events flow, by SIGKILL and in a process of its own, has in the end every event
// once, and each payment as its events say.
func TestKilledAtRandom(t *testing.T) {
	onBoth(t, func(t *testing.T, place archive.Place) {
		server, conn := broker(t)
		at, _ := json.Marshal(map[string]string{"NATS": server.URL(), "File": place.File, "URL": place.URL.Reveal(), "Schema": place.Schema})
		written := make(chan struct{})
		go func() { defer close(written); write(t, conn, "D", *crashEvents) }()
		kills := 0
		for done := false; !done; kills++ {
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), "ARCHIVE_TEST_CHILD="+string(at))
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-written:
				done = kills > 4
			case <-time.After(200 * time.Millisecond):
			}
			<-time.After(time.Duration(rand.IntN(300)) * time.Millisecond)
			_ = child.Process.Kill()
			_ = child.Wait()
		}
		s := openAt(t, place)
		before, _ := s.Status(bounded(t), conn)
		_, stop := running(t, conn, place)
		st := caughtUp(t, s, conn)
		stop()
		v := verified(t, s, conn)
		if v.Events != int64(*crashEvents) || st.Events != v.Events || st.Payments != v.Events/2 || st.Forgotten != 0 {
			t.Errorf("%+v %+v", v, st)
		}
		t.Logf("killed %d times; %d of %d events were stored by then; 0 missing, 0 doubled", kills, before.Events, v.Events)
	})
}

// Two archives under one name store each event once.
func TestTwoArchives(t *testing.T) {
	onBoth(t, func(t *testing.T, place archive.Place) {
		_, conn := broker(t)
		s := openAt(t, place)
		running(t, conn, place)
		running(t, conn, place)
		write(t, conn, "D", 1000)
		if st := caughtUp(t, s, conn); st.Events != 1000 || st.Payments != 500 {
			t.Errorf("%+v", st)
		}
		verified(t, s, conn)
	})
}

// While PostgreSQL is away the archive isn't ready and keeps nothing back; when it is there again, all is read.
func TestPostgresAway(t *testing.T) {
	server := pgtest.Start(t)
	_, conn := broker(t)
	place := archive.Place{URL: secret.New(server.URL())}
	s := openAt(t, place)
	a, _ := running(t, conn, place)
	write(t, conn, "A", 100)
	caughtUp(t, s, conn)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	write(t, conn, "B", 400)
	eventually(t, "the archive to say that its database is away", func() bool { return a.Ready() != nil })
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the archive to be ready again", func() bool { return a.Ready() == nil })
	if st := caughtUp(t, s, conn); st.Events != 500 {
		t.Errorf("%+v", st)
	}
	verified(t, s, conn)
}

// A full disk under SQLite stops the archive until there is room.
func TestDiskFull(t *testing.T) {
	disk := natstest.NewDisk(t, 8<<20)
	_, conn := broker(t)
	place := archive.Place{File: disk.Dir + "/archive.db"}
	s := openAt(t, place)
	a, stop := running(t, conn, place)
	write(t, conn, "A", 100)
	caughtUp(t, s, conn)
	disk.Fill()
	write(t, conn, "B", 400)
	eventually(t, "the archive to say that its disk is full", func() bool { return a.Ready() != nil })
	disk.MakeRoom()
	if st := caughtUp(t, s, conn); st.Events != 500 {
		t.Errorf("%+v", st)
	}
	verified(t, s, conn)
	stop()
	_ = s.Close() // before the disk goes
}

// A database that was restored from an older copy reads again what it lacks, although it was acknowledged to the broker.
func TestDatabaseRestoredFromAnOlderCopy(t *testing.T) {
	_, conn := broker(t)
	place := sqlite(t)
	_, stop := running(t, conn, place)
	write(t, conn, "A", 60)
	caughtUp(t, openAt(t, place), conn)
	stop()
	older := archive.Place{File: place.File + ".copy"}
	archive.Exec(t, openAt(t, place), "VACUUM INTO '"+older.File+"'")
	_, stop = running(t, conn, place)
	write(t, conn, "B", 60)
	caughtUp(t, openAt(t, place), conn)
	stop()
	_, stop = running(t, conn, older)
	s := openAt(t, older)
	if st := caughtUp(t, s, conn); st.Events != 120 {
		t.Errorf("%+v", st)
	}
	write(t, conn, "C", 10)
	caughtUp(t, s, conn)
	verified(t, s, conn)
	stop()
}

// memoryFollower delivers a memoryLog.
type memoryFollower struct {
	log  *memoryLog
	next uint64
}

func (f *memoryFollower) Next(ctx context.Context, most int, wait time.Duration) (batch []events.Message, _ func() error, _ error) {
	err := f.log.ReadLog(ctx, f.next, func(m events.Message) (bool, error) {
		batch = append(batch, m)
		f.next = m.Sequence + 1
		return len(batch) < most, nil
	})
	if len(batch) == 0 {
		select {
		case <-ctx.Done():
		case <-time.After(min(wait, 10*time.Millisecond)):
		}
	}
	return batch, func() error { return nil }, err
}

func fromMemory(t testing.TB, log *memoryLog, place archive.Place) *archive.Archiver {
	t.Helper()
	a, err := archive.New(archive.Options{
		Log: log, Batch: 10, Now: time.Now, Logger: discard,
		Follow: func(context.Context) (archive.Follower, error) { return &memoryFollower{log: log, next: 1}, nil },
		Open:   func(ctx context.Context) (*archive.Store, error) { return archive.Open(ctx, place) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What the log forgot before the archive read it is a gap for ever, which is shown.
func TestForgottenBeforeItWasRead(t *testing.T) {
	onBoth(t, func(t *testing.T, place archive.Place) {
		log := newLog()
		for i := range 9 {
			log.add(t, deposit(fmt.Sprintf("D-%d", i), payment.Settled, 1))
		}
		log.forget(4)
		ctx, cancel := context.WithCancel(t.Context())
		a, done := fromMemory(t, log, place), make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		s := openAt(t, place)
		eventually(t, "the gap", func() bool {
			st, err := s.Status(t.Context(), log)
			return err == nil && st.Lag == 0 && slices.Equal(st.Gaps, []archive.Gap{{First: 1, Last: 4, Forgotten: true}})
		})
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// An archive that finds another log than the one that it has read ends with an error and writes nothing.
func TestArchiverStopsAtAnotherLog(t *testing.T) {
	place := sqlite(t)
	log := newLog()
	put(t, openAt(t, place), log.add(t, deposit("D-1", payment.Submitting, 1)), log.add(t, deposit("D-2", payment.Submitting, 1)))
	again, shorter, other := newLog(), newLog(), newLog()
	again.name = "two"
	again.add(t, deposit("D-7", payment.Submitting, 1))
	shorter.add(t, deposit("D-1", payment.Submitting, 1))
	other.add(t, deposit("D-1", payment.Submitting, 1))
	other.add(t, deposit("D-8", payment.Submitting, 1))
	for want, logs := range map[error][]*memoryLog{archive.ErrOtherLog: {again}, archive.ErrLogChanged: {shorter, other}} {
		for _, one := range logs {
			a := fromMemory(t, one, place)
			if err := a.Run(bounded(t)); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
	}
	verified(t, openAt(t, place), log)
}
