// Package embedded keeps a store's documents in one directory of this machine, with Pebble. One process at a time may have
// the directory open. It is the driver for one machine; package mongo is the one for several.
//
// Documents lie in the order of their ids, and each index is an ordered set of keys beside them, written in the same
// atomic batch. A write is acknowledged after an fsync, which writes of many goroutines share.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/castor-iot/castor/shared/store"
)

const (
	// cacheSize is how many bytes of blocks are kept in memory. What is written but not yet in a file counts too, up to
	// twice memTableSize, so it must be a good deal more than that.
	cacheSize    = 128 << 20
	memTableSize = 32 << 20 // bytes written before they are sorted into a file

	blockSize      = 16 << 10  // bytes of documents compressed together
	indexBlockSize = 256 << 10 // so large that a file has one index
)

// An Option changes how a directory is opened.
type Option func(*settings)

type settings struct {
	fs            vfs.FS
	log           *slog.Logger
	noCompression bool
}

// WithFS keeps the files in fs instead of the operating system's file system.
func WithFS(fs vfs.FS) Option { return func(s *settings) { s.fs = fs } }

// WithLogger reports what the database does by itself; the default is slog.Default().
func WithLogger(log *slog.Logger) Option { return func(s *settings) { s.log = log } }

// NoCompression leaves blocks as they are, so that a test can look for a secret in the files.
func NoCompression() Option { return func(s *settings) { s.noCompression = true } }

// Open opens the database in dir, which is made if need be. It returns store.ErrInUse when another process has it open,
// and store.ErrDamaged when its files are not what was written.
func Open(dir string, opts ...Option) (*store.DB, error) {
	s := settings{fs: vfs.Default, log: slog.Default()}
	for _, o := range opts {
		o(&s)
	}
	if err := s.fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	lock, err := pebble.LockDirectory(dir, s.fs)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) && !errors.Is(err, syscall.EAGAIN) {
			return nil, fmt.Errorf("data directory: %w", err)
		}
		return nil, fmt.Errorf("%w: %s", store.ErrInUse, dir)
	}
	if err := writable(dir, s.fs); err != nil {
		lock.Close()
		return nil, fmt.Errorf("data directory: %w", err)
	}
	db, err := openPebble(dir, lock, s)
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("%w: %s: %s", store.ErrDamaged, dir, firstLine(err))
	}
	d := &driver{db: db, lock: lock, log: s.log, tables: map[string]*table{}}
	if err := d.checkFormat(); err != nil {
		d.Close()
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return store.New(d), nil
}

// writable tells whether files can be made in dir. Pebble tries again for ever where it cannot make one.
func writable(dir string, files vfs.FS) error {
	probe := files.PathJoin(dir, "probe.tmp")
	f, err := files.Create(probe, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), files.Remove(probe))
}

func openPebble(dir string, lock *pebble.Lock, s settings) (db *pebble.DB, err error) {
	o := &pebble.Options{
		FS:                 s.fs,
		Lock:               lock,
		CacheSize:          cacheSize,
		MemTableSize:       memTableSize,
		FormatMajorVersion: pebble.FormatWALSyncChunks,
		Logger:             logger{s.log},
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { s.log.Error("embedded database", "err", firstLine(err)) },
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				s.log.Error("embedded database is damaged", "file", info.Path, "err", firstLine(info.Details))
			},
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize = blockSize
		o.Levels[i].IndexBlockSize = indexBlockSize
	}
	if s.noCompression {
		o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	}
	return pebble.Open(dir, o)
}

// driver implements store.Driver.
type driver struct {
	db   *pebble.DB
	lock *pebble.Lock // of the directory
	log  *slog.Logger

	open   sync.RWMutex // held for reading by every operation
	closed bool

	mu     sync.Mutex // of what follows, and of making tables
	tables map[string]*table
}

func (d *driver) Name() string { return "embedded" }

func (d *driver) Ping(ctx context.Context) error {
	if err := d.begin(ctx); err != nil {
		return err
	}
	d.open.RUnlock()
	return nil
}

// begin lets an operation begin, which must end with d.open.RUnlock.
func (d *driver) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.open.RLock()
	if d.closed {
		d.open.RUnlock()
		return fmt.Errorf("%w: it is closed", store.ErrUnavailable)
	}
	return nil
}

// Close waits for the operations under way.
func (d *driver) Close() error {
	d.open.Lock()
	defer d.open.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	return storeError(errors.Join(d.db.Close(), d.lock.Close()))
}

// storeError makes an error of Pebble one of the store's.
func storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case pebble.IsCorruptionError(err):
		return fmt.Errorf("%w: %s", store.ErrDamaged, firstLine(err))
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

// firstLine leaves out what Pebble adds for its own developers.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// logger passes on what Pebble reports.
type logger struct{ log *slog.Logger }

func (l logger) Infof(format string, args ...any) {
	l.log.Debug("embedded database", "report", fmt.Sprintf(format, args...))
}

func (l logger) Errorf(format string, args ...any) {
	l.log.Error("embedded database", "report", fmt.Sprintf(format, args...))
}

// Fatalf is called when the disk refuses a write that the database cannot go on without. Whatever is not acknowledged by
// then must not be, so the process ends here; what is acknowledged is found at the next start.
func (l logger) Fatalf(format string, args ...any) {
	l.log.Error("embedded database must stop", "report", fmt.Sprintf(format, args...))
	os.Exit(1)
}
