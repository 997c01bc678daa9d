package schema

import (
	"encoding/json"
	"sync"
)

// maxKept bounds the schemas that a Cache has.
const maxKept = 256

// A Cache keeps schemas compiled, by their text. The zero value is empty and works; any number of goroutines may use it.
type Cache struct {
	mu  sync.Mutex
	has map[string]*Schema
}

// Compile is Compile, remembered.
func (c *Cache) Compile(text json.RawMessage) (*Schema, error) {
	c.mu.Lock()
	s, ok := c.has[string(text)]
	c.mu.Unlock()
	if ok {
		return s, nil
	}
	s, err := Compile(text)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.has == nil {
		c.has = map[string]*Schema{}
	}
	if len(c.has) >= maxKept {
		for key := range c.has { // any: those in use come back at the cost of compiling one
			delete(c.has, key)
			break
		}
	}
	c.has[string(text)] = s
	return s, nil
}
