// Package declarative runs payload drivers that are data: documents in YAML or JSON that say where in a message a value is and
// what becomes of it (docs/drivers-declarative.md). There is no code in them and no loop that the length of a message does not
// bound, so they run in process. The package neither knows twins nor checks values against a type's model.
package declarative

import (
	"context"
	"fmt"
	"slices"

	"github.com/castor-iot/castor/shared/driver"
)

// Format is how the messages of a device are written.
type Format string

// The formats.
const (
	Binary Format = "binary"
	JSON   Format = "json"
	CBOR   Format = "cbor"
	CSV    Format = "csv"  // lines of columns
	Text   Format = "text" // an RE2 expression, or the whole text
)

// A Program is a document that can be run. It is never changed, so any number of goroutines may run it.
type Program struct {
	// Title and Version are the document's own words; the version is that of a document that comes with the platform.
	Title, Version string

	uplink, downlink []*message
	normalize        *normalization
}

var _ driver.Codec = (*Program)(nil)

// Has tells whether the document says anything of an operation.
func (p *Program) Has(op driver.Op) bool {
	switch op {
	case driver.DecodeUplink:
		return len(p.uplink) > 0
	case driver.EncodeDownlink, driver.DecodeDownlink:
		return len(p.downlink) > 0
	case driver.NormalizeUplink:
		return p.normalize != nil
	}
	return false
}

// Run makes calls one after the other, as driver.Codec has it. The only error is that ctx has ended.
func (p *Program) Run(ctx context.Context, calls []driver.Call) ([]driver.Result, error) {
	results := make([]driver.Result, len(calls))
	for i := range calls {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		results[i] = p.call(&calls[i])
	}
	return results, nil
}

func (p *Program) call(c *driver.Call) (r driver.Result) {
	switch {
	case c.Op == driver.OnEvent:
		return driver.Result{Failure: driver.Missing, Reason: "a document has nothing for onEvent: only drivers in WebAssembly react"}
	case !p.Has(c.Op):
		return driver.Result{Failure: driver.Missing, Reason: fmt.Sprintf("the document has nothing for %s", c.Op)}
	case len(c.Bytes) > driver.MaxInput:
		return failed(fmt.Errorf("the message has %d bytes, at most %d are read", len(c.Bytes), driver.MaxInput))
	}
	switch c.Op {
	case driver.DecodeUplink:
		r = decode(p.uplink, c)
	case driver.DecodeDownlink:
		r = decode(p.downlink, c)
	case driver.EncodeDownlink:
		r = encode(p.downlink, c)
	case driver.NormalizeUplink:
		r = p.normalize.run(c)
	}
	r.Warnings = driver.Notes(r.Warnings)
	return r
}

func failed(err error) driver.Result {
	return driver.Result{Errors: driver.Notes([]string{err.Error()})}
}

// Topics are the topics of uplinks as a broker knows them, each once.
func (p *Program) Topics() (filters []string) {
	seen := map[string]bool{}
	for _, m := range p.uplink {
		for _, t := range m.topics {
			if f := t.Filter(); !seen[f] {
				seen[f] = true
				filters = append(filters, f)
			}
		}
	}
	return filters
}

// Patterns are the topics where devices speak and where they listen, each once and in the document's order: of several that fit a
// topic the first one counts.
func (p *Program) Patterns() (up, down []string) {
	return patternsOf(p.uplink), patternsOf(p.downlink)
}

func patternsOf(messages []*message) (all []string) {
	for _, m := range messages {
		for _, t := range m.topics {
			if !slices.Contains(all, t.String()) {
				all = append(all, t.String())
			}
		}
	}
	return all
}

// Device is the part of an uplink's topic that the document calls {device}; false if no message of it has this topic.
func (p *Program) Device(from string) (device string, ok bool) {
	for _, m := range p.uplink {
		for _, t := range m.topics {
			device = ""
			if t.Match(from, func(name, v string) {
				if name == "device" {
					device = v
				}
			}) {
				return device, device != ""
			}
		}
	}
	return "", false
}
