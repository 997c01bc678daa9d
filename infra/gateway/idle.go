package gateway

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// idlers are the open connections that no request is under way on. When there are more than may be, those that have been
// silent longest are closed: somebody who opens thousands and sends nothing keeps nobody out. Clients open a closed one again.
type idlers struct {
	most int

	mu    sync.Mutex
	queue *list.List // of net.Conn, the longest silent first
	place map[net.Conn]*list.Element
}

func newIdlers(most int) *idlers {
	return &idlers{most: most, queue: list.New(), place: make(map[net.Conn]*list.Element)}
}

// state is an http.Server's ConnState.
func (i *idlers) state(c net.Conn, state http.ConnState) {
	var oldest net.Conn
	i.mu.Lock()
	if e := i.place[c]; e != nil {
		i.queue.Remove(e)
		delete(i.place, c)
	}
	if state == http.StateNew || state == http.StateIdle {
		i.place[c] = i.queue.PushBack(c)
		if i.queue.Len() > i.most {
			oldest = i.queue.Remove(i.queue.Front()).(net.Conn)
			delete(i.place, oldest)
		}
	}
	i.mu.Unlock()
	if oldest != nil {
		_ = oldest.Close() // its client hears of it
	}
}
