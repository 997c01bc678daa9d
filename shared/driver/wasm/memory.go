package wasm

import (
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

const (
	page     = 64 << 10
	maxPages = 4096 // 256 MiB: what no limit can be above
)

// A memory is the linear memory of one instance. It grows up to a limit, remembers that more was wanted, and can be made small
// again, which WebAssembly itself does not know.
type memory struct {
	limit   uint64
	b       []byte
	refused bool // it should have grown above the limit
	shrink  bool // the next growth is none: the length is to be that of the snapshot
	base    []byte
}

// Allocate is experimental.MemoryAllocator's. New has checked that what the module begins with is within the limit.
func (m *memory) Allocate(capacity, _ uint64) experimental.LinearMemory {
	m.b = make([]byte, 0, min(capacity, m.limit))
	return m
}

// Reallocate is experimental.LinearMemory's.
func (m *memory) Reallocate(size uint64) []byte {
	switch {
	case m.shrink:
		m.b = m.b[:len(m.base)]
	case size > m.limit:
		m.refused = true
		return nil
	case size <= uint64(cap(m.b)):
		m.b = m.b[:size] // what lies beyond is zero: restore sees to it
	default:
		b := make([]byte, size, min(size+size/4, m.limit))
		copy(b, m.b)
		m.b = b
	}
	return m.b
}

// Free is experimental.LinearMemory's.
func (m *memory) Free() { m.b = nil }

// A snapshot is an instance as it is before any call: memory and globals, which is all that calls may change.
type snapshot struct {
	memory  *memory
	globals []api.MutableGlobal
	values  []uint64
}

func takeSnapshot(m *memory, globals []api.MutableGlobal) *snapshot {
	s := &snapshot{memory: m, globals: globals}
	m.base = append([]byte(nil), m.b...)
	for _, g := range globals {
		s.values = append(s.values, g.Get())
	}
	return s
}

// restore makes the instance what it was. It tells whether it could.
func (s *snapshot) restore(of api.Memory) bool {
	m := s.memory
	if len(m.b) > len(m.base) {
		clear(m.b[len(m.base):])
		m.shrink = true
		_, ok := of.Grow(1) // the only way to have the engine take a new length
		m.shrink = false
		if !ok {
			return false
		}
	}
	copy(m.b, m.base)
	for i, g := range s.globals {
		g.Set(s.values[i])
	}
	return int(of.Size()) == len(m.base)
}
