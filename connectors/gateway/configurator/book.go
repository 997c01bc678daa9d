package configurator

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
	"time"

	"github.com/castor-iot/castor/shared/api"
)

// A book has whom the gateway is to let in, and what of that has been done. It is in memory and, written by save, in a file.
type book struct {
	file string

	mu     sync.Mutex
	known  map[string]admission
	names  map[string]string             // user name → client
	open   map[string]change             // what the target must still be told, by client
	untold map[string]api.GatewayApplied // what the target has done and the platform has not heard, newest per client
	lost   map[string]uint64             // clients that cannot be let in, by the revision that this was told of
	epoch  string                        // of the target, when it was last in step
	seen   uint64                        // the newest revision that came
	synced bool                          // everything the bucket holds has come since the start
	dirty  bool                          // memory is ahead of the file
}

// An admission with the revision it came by.
type admission struct {
	api.Admission
	Revision uint64 `json:"revision"`
	ended    bool   // it has run out, and the target knows
}

// A change is one that the target has not done yet.
type change struct {
	Client   string `json:"client"`
	Revision uint64 `json:"revision"` // 0 = the platform has not asked and is not told
	tries    int
	next     time.Time
}

// state is the content of the file.
type state struct {
	Seen    uint64               `json:"seen"`
	Epoch   string               `json:"epoch,omitempty"`
	Clients []admission          `json:"clients"`
	Open    []change             `json:"open,omitempty"`
	Untold  []api.GatewayApplied `json:"untold,omitempty"`
}

// openBook reads the file. One that cannot be read is put aside: the bucket has the truth, and until it can be reached nobody is
// let in.
func openBook(file string, log *slog.Logger) (*book, error) {
	b := &book{file: file, known: make(map[string]admission), names: make(map[string]string), open: make(map[string]change), lost: make(map[string]uint64),
		untold: make(map[string]api.GatewayApplied)}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		log.Error("admissions file is damaged, put aside", "file", file, "error", err)
		return b, os.Rename(file, file+".damaged")
	}
	b.seen, b.epoch = s.Seen, s.Epoch
	for _, c := range s.Clients {
		b.put(c)
	}
	for _, c := range s.Open {
		b.open[c.Client] = c
	}
	for _, t := range s.Untold {
		b.untold[t.Client] = t
	}
	return b, nil
}

func (b *book) get(client string) (admission, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, ok := b.known[client]
	return a, ok
}

func (b *book) named(user string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.names[user]
}

func (b *book) clients() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Keys(b.known)), func(c string) bool { return b.known[c].Suspended() })
}

func (b *book) number() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.known {
		if !a.Suspended() {
			n++
		}
	}
	return n
}

// put and remove keep the user names in step. The caller holds the lock.
func (b *book) put(a admission) {
	b.remove(a.Client)
	b.known[a.Client] = a
	if a.Username != "" && !a.Suspended() {
		b.names[a.Username] = a.Client
	}
}

func (b *book) remove(client string) {
	if user := b.known[client].Username; user != "" && b.names[user] == client {
		delete(b.names, user)
	}
	delete(b.known, client)
}

// apply takes over one change, which the target must do then. in is nil when the client is removed. A change that came before, in
// this process or an earlier one, does nothing.
func (b *book) apply(client string, revision uint64, in *api.Admission) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, had := b.known[client]
	switch {
	case in != nil && had && old.Revision == revision:
		return
	case in == nil && !had && !b.synced && revision <= b.seen:
		return // the bucket tells of old removals at each start
	}
	if in == nil {
		b.remove(client)
	} else {
		b.put(admission{Admission: *in, Revision: revision})
	}
	b.open[client] = change{Client: client, Revision: revision}
	b.seen = max(b.seen, revision)
	b.dirty = true
}

// forget removes a client without telling the platform.
func (b *book) forget(client string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, had := b.known[client]; had {
		b.remove(client)
		b.open[client] = change{Client: client}
		b.dirty = true
	}
}

// retain forgets every client for which keep is false: the bucket no longer has them, and has no trace of their removal either.
func (b *book) retain(keep func(client string) bool) {
	b.mu.Lock()
	b.synced = true
	away := slices.DeleteFunc(slices.Collect(maps.Keys(b.known)), keep)
	b.mu.Unlock()
	for _, client := range away {
		b.forget(client)
	}
}

// due are the changes to be made now, the oldest first.
func (b *book) due(now time.Time) []change {
	b.mu.Lock()
	defer b.mu.Unlock()
	var due []change
	for _, c := range b.open {
		if !now.Before(c.next) {
			due = append(due, c)
		}
	}
	slices.SortFunc(due, func(x, y change) int { return cmp.Compare(x.Revision, y.Revision) })
	return due
}

// failed has the change tried again at next.
func (b *book) failed(c change, next time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now, ok := b.open[c.Client]; ok && now.Revision == c.Revision {
		c.tries, c.next = c.tries+1, next
		b.open[c.Client] = c
	}
}

// done notes that the target has done the change, and has the platform told, if it asked.
func (b *book) done(c change, applied api.GatewayApplied) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now, ok := b.open[c.Client]; ok && now.Revision == c.Revision {
		delete(b.open, c.Client)
	}
	if applied.Revision > 0 && (applied.Lost == "" || b.lost[c.Client] != applied.Revision) {
		b.untold[c.Client] = applied
	}
	if delete(b.lost, c.Client); applied.Lost != "" {
		b.lost[c.Client] = applied.Revision
	}
	b.dirty = true
}

// save writes the file if memory is ahead of it and returns what is to be told, all of which is in the file.
func (b *book) save() ([]api.GatewayApplied, error) {
	b.mu.Lock()
	dirty := b.dirty
	b.dirty = false
	s := state{Seen: b.seen, Epoch: b.epoch, Untold: slices.Collect(maps.Values(b.untold))}
	if dirty {
		s.Clients, s.Open = slices.Collect(maps.Values(b.known)), slices.Collect(maps.Values(b.open))
	}
	b.mu.Unlock()
	if !dirty {
		return s.Untold, nil
	}
	text, err := json.Marshal(s)
	if err == nil {
		err = writeFile(b.file, text)
	}
	if err != nil {
		b.mu.Lock()
		b.dirty = true
		b.mu.Unlock()
		return nil, fmt.Errorf("admissions file: %w", err)
	}
	return s.Untold, nil
}

// told notes what was published. The file follows with the next save.
func (b *book) told(done []api.GatewayApplied) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range done {
		if b.untold[t.Client] == t {
			delete(b.untold, t.Client)
			b.dirty = true
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
