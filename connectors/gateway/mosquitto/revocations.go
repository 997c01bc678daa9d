package mosquitto

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/pause"
)

// Revocations keeps the file of revoked certificates that mosquitto reads (its option crlfile).
type Revocations struct {
	// File is mosquitto's crlfile, as this process sees it. It must be there before mosquitto starts.
	File string

	// Get asks the platform for the list, PEM: every certificate that was issued and is not good any more.
	Get func(ctx context.Context) ([]byte, error)

	// Reload has mosquitto read its files again: it sends SIGHUP.
	Reload func() error

	mu   sync.Mutex
	next *round        // that has not begun: whoever comes now shares it; nil = whoever comes begins one
	turn chan struct{} // holds the round that is under way; made by the first
	read bool          // what is in the file is in force; only the round under way looks at it
}

// A round asks for the list once, for all who came before it began.
type round struct {
	done chan struct{}
	err  error
	cut  bool // it failed because who led it went away
}

// Refresh has mosquitto refuse what the platform has revoked, of a list that is asked for after the call. It does nothing where that has
// not changed. Of many who call at a time one asks for all: a thousand devices that are let in at once are no thousand lists.
func (r *Revocations) Refresh(ctx context.Context) error {
	for {
		shared, leads := r.join()
		if leads {
			r.lead(ctx, shared)
			return shared.err
		}
		select {
		case <-shared.done:
			if !shared.cut {
				return shared.err
			}
		case <-ctx.Done():
			return fmt.Errorf("list of revoked certificates: %w", ctx.Err())
		}
	}
}

func (r *Revocations) join() (shared *round, leads bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.turn == nil {
		r.turn = make(chan struct{}, 1)
	}
	if r.next != nil {
		return r.next, false
	}
	r.next = &round{done: make(chan struct{})}
	return r.next, true
}

// lead carries out a round when the one before has ended: an older list must not take the place of a newer one.
func (r *Revocations) lead(ctx context.Context, shared *round) {
	defer close(shared.done)
	begin := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.next = nil // who comes from now on may mean what this list has not
	}
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
		begin()
		shared.err = r.refresh(ctx)
		shared.cut = shared.err != nil && ctx.Err() != nil
	case <-ctx.Done():
		begin()
		shared.err, shared.cut = fmt.Errorf("list of revoked certificates: %w", ctx.Err()), true
	}
}

func (r *Revocations) refresh(ctx context.Context) error {
	list, err := r.Get(ctx)
	if err != nil {
		return fmt.Errorf("list of revoked certificates: %w", err)
	}
	if old, err := os.ReadFile(r.File); err == nil && r.read && same(old, list) {
		return nil
	}
	if err := replace(r.File, list); err != nil {
		return fmt.Errorf("list of revoked certificates: %w", err)
	}
	r.read = false
	if err := r.Reload(); err != nil {
		return fmt.Errorf("mosquitto does not read its list of revoked certificates again: %w", err)
	}
	r.read = true
	return nil
}

// Begin writes the list as soon as the platform gives it: mosquitto does not start without one. What goes wrong is told.
func (r *Revocations) Begin(ctx context.Context, told func(error)) {
	for {
		err := r.Refresh(ctx)
		if err == nil {
			return
		}
		told(err)
		if _, err := os.Stat(r.File); err == nil {
			return // mosquitto reads it when it starts
		}
		if !pause.For(ctx, beginAgain) {
			return
		}
	}
}

// beginAgain is how long Begin waits for a platform that is away.
const beginAgain = time.Second

// same tells whether two lists name the same certificates, and the older one counts for a while still.
func same(old, list []byte) bool {
	a, err := parse(old)
	if err != nil {
		return false
	}
	b, err := parse(list)
	if err != nil || b.NextUpdate.Sub(a.NextUpdate) > b.NextUpdate.Sub(b.ThisUpdate)/2 {
		return false
	}
	return slices.EqualFunc(a.RevokedCertificateEntries, b.RevokedCertificateEntries, func(x, y x509.RevocationListEntry) bool {
		return x.SerialNumber.Cmp(y.SerialNumber) == 0
	})
}

func parse(list []byte) (*x509.RevocationList, error) {
	block, _ := pem.Decode(list)
	if block == nil {
		return nil, errors.New("no PEM")
	}
	return x509.ParseRevocationList(block.Bytes)
}

// replace writes the file whole or not at all, for mosquitto's user to read.
func replace(name string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".crl-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails when it was renamed, as it should be
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
