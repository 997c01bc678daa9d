package http

import "sync"

// maxFrames bounds how many frames are known that are in queues of network servers that number them themselves.
const maxFrames = 20_000

// frames are of which command such a frame is, so that what the network server tells of it is the command's answer. The zero value is ready.
type frames struct {
	mu  sync.Mutex
	by  map[string]*framesOf // integration
	all int
}

// framesOf are those of an integration.
type framesOf struct {
	owner   string // of the device that had the newest
	command map[string]string
	ids     []string // the oldest first
}

// note remembers the command that a frame is of. Of too many the oldest is forgotten of who has most, so that nobody's network server can have
// others' forgotten by the frames that it takes.
func (f *frames) note(via, owner, id, command string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by == nil {
		f.by = map[string]*framesOf{}
	}
	one := f.by[via]
	if one == nil {
		one = &framesOf{command: map[string]string{}}
		f.by[via] = one
	}
	one.owner = owner
	if _, twice := one.command[id]; !twice {
		one.ids = append(one.ids, id)
		f.all++
	}
	one.command[id] = command
	if f.all > maxFrames {
		f.forget()
	}
}

// forget forgets one frame: of the owner who has most, of the integration that has most.
func (f *frames) forget() {
	has := map[string]int{}
	for _, one := range f.by {
		has[one.owner] += len(one.ids)
	}
	var from string
	for via, one := range f.by {
		most := f.by[from]
		if most == nil || has[one.owner] > has[most.owner] || one.owner == most.owner && len(one.ids) > len(most.ids) {
			from = via
		}
	}
	one := f.by[from]
	delete(one.command, one.ids[0])
	f.all--
	if one.ids = one.ids[1:]; len(one.ids) == 0 {
		delete(f.by, from)
	}
}

// of is the command that a frame is of; "" = none that is known here.
func (f *frames) of(via, id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one := f.by[via]; one != nil {
		return one.command[id]
	}
	return ""
}
