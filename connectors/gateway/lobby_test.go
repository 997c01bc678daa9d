package gateway

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"testing"
	"time"
)

// Connections that have not shown who they are give way; one that has stays, and what ends gives its place free.
func TestALobbyIsBounded(t *testing.T) {
	l := NewLobby()
	l.hall = newHall(2, time.Nanosecond)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			Known(r.Context())
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	s.Config.ConnContext, s.Config.ConnState = l.Enter, l.State
	s.StartTLS()
	defer s.Close()
	reused := false
	ask := func(c *http.Client) error {
		trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }}
		r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer known")
		a, err := c.Do(r)
		if err == nil {
			err = a.Body.Close()
		}
		return err
	}
	if err := ask(s.Client()); err != nil {
		t.Fatal(err)
	}
	var silent []net.Conn
	for range 4 {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		silent = append(silent, c)
		<-time.After(20 * time.Millisecond) // in this order
	}
	for _, c := range silent[:2] {
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("one that was there before others has not given way: %v", err)
		}
	}
	_ = silent[3].SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := silent[3].Read(make([]byte, 1)); err == io.EOF {
		t.Error("the newest is sent away")
	}
	if err := ask(s.Client()); err != nil || !reused {
		t.Errorf("who is known was sent away: %v", err)
	}
	for _, c := range silent {
		c.Close()
	}
	s.CloseClientConnections()
	for begun := time.Now(); ; <-time.After(5 * time.Millisecond) {
		l.mu.Lock()
		l.hall.mu.Lock()
		left, places := len(l.open), l.hall.waiting.Len()
		l.hall.mu.Unlock()
		l.mu.Unlock()
		if left == 0 && places == 0 {
			break
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("%d connections and %d places are left", left, places)
		}
	}
}
