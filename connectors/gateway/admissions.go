package gateway

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/castor-iot/castor/shared/api"
)

// admissions are whom the gateway lets in. They are in memory and, written by save, in a file.
type admissions struct {
	file string

	mu     sync.RWMutex
	known  map[string]admission
	names  map[string]string             // user name → client
	untold map[string]api.GatewayApplied // applied and not yet told to the platform, newest per client
	seen   uint64                        // the newest revision applied
	synced bool                          // everything the bucket holds has been applied since the start
	dirty  bool                          // memory is ahead of the file
}

// An admission with the revisions it came by.
type admission struct {
	api.Admission
	Revision uint64 `json:"revision"`
}

// state is the content of the file.
type state struct {
	Seen    uint64               `json:"seen"`
	Clients []admission          `json:"clients"`
	Untold  []api.GatewayApplied `json:"untold,omitempty"`
}

// openAdmissions reads the file. One that cannot be read is put aside: the bucket has the truth, and until it can be
// reached nobody is let in.
func openAdmissions(file string, log *slog.Logger) (*admissions, error) {
	a := &admissions{file: file, known: make(map[string]admission), names: make(map[string]string), untold: make(map[string]api.GatewayApplied)}
	b, err := os.ReadFile(a.file)
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err != nil {
		return nil, err
	}
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		log.Error("admissions file is damaged, put aside", "file", a.file, "error", err)
		return a, os.Rename(a.file, a.file+".damaged")
	}
	a.seen = s.Seen
	for _, c := range s.Clients {
		a.put(c)
	}
	for _, t := range s.Untold {
		a.untold[t.Client] = t
	}
	return a, nil
}

func (a *admissions) get(client string) (admission, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	c, ok := a.known[client]
	return c, ok
}

// named is the client with that user name, else the name itself.
func (a *admissions) named(user string) string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return cmp.Or(a.names[user], user)
}

// put and remove keep the user names in step. The caller holds the lock.
func (a *admissions) put(c admission) {
	a.remove(c.Client)
	a.known[c.Client] = c
	if c.Username != "" {
		a.names[c.Username] = c.Client
	}
}

func (a *admissions) remove(client string) {
	if user := a.known[client].Username; user != "" && a.names[user] == client {
		delete(a.names, user)
	}
	delete(a.known, client)
}

// apply takes over one change and tells whether something that let the client in does not any more, so that its sessions must
// be looked at. in is nil when the client is removed.
// A change that was applied before, in this process or an earlier one, does nothing.
func (a *admissions) apply(gateway, client string, revision uint64, in *api.Admission) (cut bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	old, had := a.known[client]
	switch {
	case in != nil && had && old.Revision == revision:
		return false
	case in == nil && !had && !a.synced && revision <= a.seen:
		return false // the bucket tells of old removals at each start
	}
	if in == nil {
		cut = had
		a.remove(client)
	} else {
		cut = had && (old.Type != in.Type || !within(in.Fingerprints, old.Fingerprints) || !within(in.Verifiers, old.Verifiers))
		a.put(admission{Admission: *in, Revision: revision})
	}
	a.untold[client] = api.GatewayApplied{Gateway: gateway, Client: client, Revision: revision, Removed: in == nil}
	a.seen = max(a.seen, revision)
	a.dirty = true
	return cut
}

// retain removes every client for which keep is false and returns them: the bucket no longer has them, and has no trace
// of their removal either.
func (a *admissions) retain(keep func(client string) bool) (removed []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.synced = true
	for client := range a.known {
		if !keep(client) {
			a.remove(client)
			removed = append(removed, client)
			a.dirty = true
		}
	}
	return removed
}

// save writes the file if memory is ahead of it and returns what is to be told, all of which is in the file.
func (a *admissions) save() ([]api.GatewayApplied, error) {
	a.mu.Lock()
	dirty := a.dirty
	a.dirty = false
	s := state{Seen: a.seen, Untold: slices.Collect(maps.Values(a.untold))}
	if dirty {
		s.Clients = slices.Collect(maps.Values(a.known))
	}
	a.mu.Unlock()
	if !dirty {
		return s.Untold, nil
	}
	b, err := json.Marshal(s)
	if err == nil {
		err = writeFile(a.file, b)
	}
	if err != nil {
		a.mu.Lock()
		a.dirty = true
		a.mu.Unlock()
		return nil, fmt.Errorf("admissions file: %w", err)
	}
	return s.Untold, nil
}

// told notes what was published. The file follows with the next save.
func (a *admissions) told(done []api.GatewayApplied) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range done {
		if a.untold[t.Client] == t {
			delete(a.untold, t.Client)
			a.dirty = true
		}
	}
}

// writeFile replaces the file whole or not at all, and returns when it is on the disk.
func writeFile(name string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".admissions-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails when it was renamed, as it should be
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// forget removes a client without telling the platform and tells whether it was known.
func (a *admissions) forget(client string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, had := a.known[client]
	a.remove(client)
	a.dirty = a.dirty || had
	return had
}

// within tells whether all has each of some.
func within(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}
