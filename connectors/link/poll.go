package link

import "github.com/castor-iot/castor/shared/twin"

// Mute tells that no commands reach the device until it listens again: its poll has ended. What waits, waits on.
func (s *Session) Mute() { s.listens.Store(false) }

// Waiting is how many commands wait for the device, as far as it is known here.
func (s *Session) Waiting() int {
	c := s.link.commands
	c.mu.Lock()
	defer c.mu.Unlock()
	if id := c.twins[s]; c.sessions[id] == s {
		return len(c.waiting[id])
	}
	return 0
}

// Newest is the newest of the device's orders in this session that is stored with all before it; the zero order if there is none.
func (s *Session) Newest() twin.Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored
}
