package stream

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"golang.org/x/sync/singleflight"
)

// A sight is what a caller may see: an access.Scope that is quick to ask, because every entry is asked for every reader.
type sight struct {
	all    bool
	shared bool // types that belong to nobody
	groups map[string]bool
	twins  map[twin.ID]bool
	mark   uint64 // the same for the same sight, in all replicas
}

func sightOf(s access.Scope) *sight {
	v := &sight{all: s.All, shared: s.Shared, groups: make(map[string]bool, len(s.Groups)), twins: make(map[twin.ID]bool, len(s.Twins))}
	for _, g := range s.Groups {
		v.groups[g] = g != ""
	}
	for _, id := range s.Twins {
		v.twins[id] = true
	}
	h := sha256.New()
	fmt.Fprintf(h, "%t %t %q %q", v.all, v.shared, slices.Sorted(maps.Keys(v.groups)), slices.Sorted(maps.Keys(v.twins)))
	v.mark = binary.BigEndian.Uint64(h.Sum(nil))
	return v
}

// everything is the sight of maintainers.
var everything = sightOf(access.Scope{All: true})

// sees tells whether a twin of this scope is in sight; nil is nobody's but the maintainers'.
func (v *sight) sees(id twin.ID, s *api.TwinScope) bool {
	if v.all || s == nil {
		return v.all
	}
	if v.shared && s.Shared || v.groups[s.Owner] || v.twins[id] && id != "" || v.twins[s.Type] && s.Type != "" {
		return true
	}
	for _, a := range s.Aggregates {
		if v.twins[a] {
			return true
		}
	}
	return false
}

// grantsFor is how long grants are believed. An event has them read again at once; this is for events that come late.
const grantsFor = 5 * time.Second

// sights keeps what callers may see, once for all streams of a caller.
type sights struct {
	// read asks function authorization which grants are made to the caller who showed this at the door.
	read func(ctx context.Context, shown http.Header) ([]access.Grant, error)
	now  func() time.Time

	mu      sync.Mutex
	has     map[string]known
	forgets int // how often something was forgotten: what was being read meanwhile is not kept
	one     singleflight.Group
}

type known struct {
	at       time.Time
	subjects []string
	sight    *sight
}

const maxKnown = 10_000

// of returns what the caller may see. It returns the errors of read.
func (s *sights) of(ctx context.Context, c access.Caller, shown http.Header) (*sight, error) {
	if c.Is(access.Maintainer) {
		return everything, nil
	}
	subjects := c.Subjects()
	key := strings.Join(subjects, "\x00")
	s.mu.Lock()
	k, ok := s.has[key]
	forgets := s.forgets
	s.mu.Unlock()
	if age := s.now().Sub(k.at); ok && age >= 0 && age < grantsFor {
		return k.sight, nil
	}
	// Not together with a read that began before something was forgotten.
	v, err, _ := s.one.Do(key+"\x00"+strconv.Itoa(forgets), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		k := known{at: s.now(), subjects: subjects}
		grants, err := s.read(ctx, shown)
		if err != nil {
			return nil, err
		}
		k.sight = sightOf(access.Visible(c, grants))
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.forgets == forgets {
			if s.has == nil || len(s.has) >= maxKnown {
				s.has = map[string]known{}
			}
			s.has[key] = k
		}
		return k.sight, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*sight), nil
}

// forget has the grants of a subject read again; "" = everybody's.
func (s *sights) forget(subject string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgets++
	for key, k := range s.has {
		if subject == "" || slices.Contains(k.subjects, subject) {
			delete(s.has, key)
		}
	}
}

// asking reads grants by calls that carry the reader's own token: this connector has no right of its own to anything.
func asking(c *api.Client) func(context.Context, http.Header) ([]access.Grant, error) {
	return func(ctx context.Context, shown http.Header) (all []access.Grant, err error) {
		as := holding(c, shown)
		for cursor := ""; ; {
			page, err := as.ListGrants(ctx, "", "", cursor)
			if err != nil {
				return nil, err
			}
			all = append(all, page.Items...)
			if cursor = page.Next; cursor == "" {
				return all, nil
			}
		}
	}
}

// holding is a client that shows the same as a reader did.
func holding(c *api.Client, shown http.Header) *api.Client {
	return &api.Client{URL: c.URL, HTTP: c.HTTP, Header: shown, Retries: true}
}

// over tells whether an error of reading grants will not pass: the caller is not let in any more.
func over(err error) bool {
	var p *api.Problem
	return errors.As(err, &p) && (errors.Is(err, access.ErrUnauthenticated) || errors.Is(err, access.ErrDenied))
}
