package platform

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	placeFor   = time.Minute // how long a device's place is believed
	placeAgain = time.Second // how soon one that does not fit is read again
	maxPlaces  = 250_000
)

// Places tells for which twins a gateway may speak: those whose device reference is assigned to it. It reads what functions
// credentials and gateways have stored and remembers it for a minute; what does not fit is read again at once, though of
// each twin at most once a second, so that a device may begin the moment it has its place. It is safe for concurrent use.
type Places struct {
	mappings    *store.Collection[mapping]
	assignments *store.Collection[assignment]
	now         func() time.Time

	mu  sync.Mutex
	has map[twin.ID]place
}

// A place is where a twin's device belongs: "" = nowhere.
type place struct {
	gateway    string
	leaving    string // where the device may be as well while it moves
	generation int64  // the newest that was issued
	at         time.Time
}

// may tells whether the device may be at the gateway.
func (p *place) may(gateway string) bool {
	return p.gateway == gateway || p.leaving != "" && p.leaving == gateway
}

// A mapping is what is read of what function credentials stores: which reference stands for the twin, if any.
type mapping struct {
	Twin       twin.ID      `bson:"_id"`
	Ref        device.Ref   `bson:"ref,omitempty"`
	Via        device.Ref   `bson:"via,omitempty"` // who speaks for the device, if it is relayed: its place is the device's
	Generation int64        `bson:"generation"`
	Outbox     event.Outbox `bson:"outbox"`            // indexed
	ViaTwin    twin.ID      `bson:"viaTwin,omitempty"` // indexed
}

// An assignment is what is read of function gateways' assignments.
type assignment struct {
	Ref     device.Ref `bson:"_id"`
	Twin    twin.ID    `bson:"twin"`
	Gateway string     `bson:"gateway"`
	Leaving string     `bson:"left,omitempty"`
	Removed bool       `bson:"removed,omitempty"`

	StayUntil    time.Time `bson:"stayUntil,omitempty"`    // indexed
	RemovedAt    time.Time `bson:"removedAt,omitempty"`    // indexed
	PendingSince time.Time `bson:"pendingSince,omitempty"` // indexed
}

// OpenPlaces opens the places. It returns the store's errors.
func OpenPlaces(ctx context.Context, p *Platform) (*Places, error) {
	s := &Places{now: p.Time, has: map[twin.ID]place{}}
	var err error
	if s.mappings, err = OpenCredentials[mapping](ctx, p.DB); err != nil {
		return nil, err
	}
	s.assignments, err = OpenAssignments[assignment](ctx, p.DB)
	return s, err
}

// At returns the newest generation that was issued of each twin whose device has its place at the gateway; the others are
// left out. claimed holds the twins, at most store.MaxLimit, and the newest generation the gateway says they have: where
// that was not issued as far as is remembered, the store is asked. It returns the store's errors.
func (s *Places) At(ctx context.Context, gateway string, claimed map[twin.ID]int64) (map[twin.ID]int64, error) {
	issued := make(map[twin.ID]int64, len(claimed))
	now := s.now()
	var ask []string
	s.mu.Lock()
	for id, generation := range claimed {
		pl, ok := s.has[id]
		age := now.Sub(pl.at).Abs() // a clock that was put back makes nothing young
		if fits := pl.may(gateway) && generation <= pl.generation; !ok || age >= placeFor || !fits && age >= placeAgain {
			ask = append(ask, string(id))
		} else if pl.may(gateway) {
			issued[id] = pl.generation
		}
	}
	s.mu.Unlock()
	if len(ask) == 0 {
		return issued, nil
	}
	found, err := s.read(ctx, ask)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.has)+len(ask) > maxPlaces {
		clear(s.has)
	}
	for _, name := range ask {
		id := twin.ID(name)
		pl := found[id] // that it has none is remembered too, for the second
		pl.at = now
		if s.has[id] = pl; pl.may(gateway) {
			issued[id] = pl.generation
		}
	}
	return issued, nil
}

// Ref returns the reference that stands for the twin now, "" if none does. It asks the store, and returns its errors.
func (s *Places) Ref(ctx context.Context, id twin.ID) (device.Ref, error) {
	m, err := s.mappings.Get(ctx, string(id))
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return m.Ref, err
}

// read asks the store, once for the mappings and once for the assignments.
func (s *Places) read(ctx context.Context, ids []string) (map[twin.ID]place, error) {
	mappings, err := s.mappings.GetMany(ctx, ids)
	if err != nil {
		return nil, err
	}
	found := make(map[twin.ID]place, len(mappings))
	of := make(map[device.Ref][]mapping, len(mappings)) // a bridge's place is that of all its devices
	var refs []string
	for _, m := range mappings {
		found[m.Twin] = place{generation: m.Generation}
		if m.Ref == "" {
			continue
		}
		ref := cmp.Or(m.Via, m.Ref)
		if of[ref] == nil {
			refs = append(refs, string(ref))
		}
		of[ref] = append(of[ref], m)
	}
	assignments, err := s.assignments.GetMany(ctx, refs)
	for _, a := range assignments {
		for _, m := range of[a.Ref] {
			if !a.Removed && (m.Via != "" || a.Twin == m.Twin) {
				found[m.Twin] = place{gateway: a.Gateway, leaving: a.Leaving, generation: m.Generation}
			}
		}
	}
	return found, err
}
