package linktest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/twin"
)

// Unplaced has the registry say nothing of a twin, because it has no place at the gateway; or again what it says.
func (p *Platform) Unplaced(id twin.ID, unplaced bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unplaced == nil {
		p.unplaced = make(map[twin.ID]bool)
	}
	p.unplaced[id] = unplaced
}

// Use has payloads of a twin be read as u says, from the next time that somebody asks. Nobody is told.
func (p *Platform) Use(id twin.ID, u api.UsedDriver) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used == nil {
		p.used = make(map[twin.ID]api.UsedDriver)
	}
	u.Twin = id
	p.used[id] = u
}

// Driver keeps the code of a version of a driver, and returns what Use takes.
func (p *Platform) Driver(name, version string, kind driver.Kind, code []byte) api.UsedDriver {
	sum := sha256.Sum256(code)
	digest := hex.EncodeToString(sum[:])
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.code == nil {
		p.code = make(map[string][]byte)
	}
	p.code[digest] = code
	return api.UsedDriver{Name: name, Version: version, Kind: kind, Digest: digest}
}

// Failures is what connectors have told of a driver, added up.
func (p *Platform) Failures(name string) (all api.DriverFailures) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.failures {
		if f.Name != name {
			continue
		}
		all.Gateway, all.Name, all.Version, all.Reason = f.Gateway, f.Name, f.Version, f.Reason
		all.OK, all.Failed, all.Grave = all.OK+f.OK, all.Failed+f.Failed, all.Grave+f.Grave
		for _, id := range f.Twins {
			if !slices.Contains(all.Twins, id) {
				all.Twins = append(all.Twins, id)
			}
		}
	}
	return all
}

// serveDrivers is function drivers, as far as a link asks it.
func (p *Platform) serveDrivers(w http.ResponseWriter, r *http.Request, path string) {
	if digest, ok := strings.CutPrefix(path, "code/"); ok && r.Method == http.MethodGet {
		p.mu.Lock()
		code, ok := p.code[digest]
		p.mu.Unlock()
		if !ok {
			problem(w, http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(code)
		return
	}
	switch r.Method + " " + path {
	case "POST resolve":
		serve(w, r, func(in api.ResolveDrivers) any {
			p.mu.Lock()
			defer p.mu.Unlock()
			out := []api.UsedDriver{}
			for _, id := range in.Twins {
				if p.unplaced[id] {
					continue
				}
				u := p.used[id]
				u.Twin = id
				out = append(out, u)
			}
			return out
		})
	case "POST failures":
		serve(w, r, func(in api.DriverFailures) any {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.failures = append(p.failures, in)
			return nil
		})
	default:
		problem(w, http.StatusNotFound)
	}
}
