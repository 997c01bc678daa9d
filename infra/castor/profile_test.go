package main

import (
	"net"
	"net/http"
	"testing"
)

// Profiles show the inside of the process to everybody who can connect.
func TestProfilesAreForThisMachineAlone(t *testing.T) {
	for name, c := range map[string]struct {
		addr string
		ok   bool
	}{
		"off":                 {"", true},
		"loopback":            {"127.0.0.1:0", true},
		"all addresses":       {":0", false},
		"all, written out":    {"0.0.0.0:0", false},
		"a name":              {"localhost:0", false},
		"another machine":     {"192.0.2.1:6060", false},
		"no port":             {"127.0.0.1", false},
		"nothing of the kind": {"yes", false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := serveProfiles(t.Context(), c.addr); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestProfilesAreServed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	if err := serveProfiles(t.Context(), addr); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + addr + "/debug/pprof/allocs")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
}
