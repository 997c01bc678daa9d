package foreign_test

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/seal"
)

// A stranger is a small gateway of somebody else's: devices speak lines of text over TLS to it, and it implements the contract of
// docs/gateways.md.
type stranger struct {
	contract *httptest.Server
	devices  net.Listener
	private  []byte
	heard    func(client, line string) bool // brings what a device says to the platform; nil = nobody does

	mu       sync.Mutex
	epoch    string
	clients  map[string]api.Admission
	secrets  map[string]string
	verifier map[string]string // that the secret came with
	sessions map[string]session
}

type session struct {
	conn  net.Conn
	shown string // fingerprint or secret
}

func newStranger(t testing.TB, w *linktest.World, private []byte) *stranger {
	t.Helper()
	s := &stranger{private: private, epoch: rand.Text(), clients: map[string]api.Admission{}, secrets: map[string]string{}, verifier: map[string]string{}, sessions: map[string]session{}}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /castor/clients/{client}", s.put)
	mux.HandleFunc("DELETE /castor/clients/{client}", s.remove)
	mux.HandleFunc("GET /castor/clients", s.list)
	mux.HandleFunc("GET /castor/state", s.state)
	s.contract = httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token" {
			http.Error(rw, "who are you", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(rw, r)
	}))
	t.Cleanup(s.contract.Close)
	config := w.CA.Server(t, true)
	config.ClientAuth = tls.VerifyClientCertIfGiven
	var err error
	if s.devices, err = tls.Listen("tcp", "127.0.0.1:0", config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.devices.Close() })
	go func() {
		for {
			c, err := s.devices.Accept()
			if err != nil {
				return
			}
			go s.serve(c.(*tls.Conn))
		}
	}()
	return s
}

func (s *stranger) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch, s.clients, s.secrets = rand.Text(), map[string]api.Admission{}, map[string]string{}
	for _, c := range s.sessions {
		c.conn.Close()
	}
}

func (s *stranger) put(w http.ResponseWriter, r *http.Request) {
	var a api.Admission
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil || a.Client != r.PathValue("client") {
		http.Error(w, "not an admission", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.secrets[a.Client]; a.Kind == device.Password && !(a.Sealed == "" && old != "" && s.verifier[a.Client] == a.Verifiers[len(a.Verifiers)-1]) {
		var plain struct {
			Secret string `json:"secret"`
		}
		b, err := seal.Open(s.private, api.SealInfo(device.Ref(a.Client)), a.Sealed)
		if err == nil {
			err = json.Unmarshal(b, &plain)
		}
		if err != nil {
			w.WriteHeader(http.StatusGone)
			fmt.Fprint(w, `{"detail":"there is no secret"}`)
			return
		}
		s.secrets[a.Client], s.verifier[a.Client] = plain.Secret, a.Verifiers[len(a.Verifiers)-1]
	}
	s.clients[a.Client] = a
	s.cut(a.Client)
	w.WriteHeader(http.StatusNoContent)
}

func (s *stranger) remove(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, r.PathValue("client"))
	if r.URL.Query().Get("suspended") == "" {
		delete(s.secrets, r.PathValue("client"))
	}
	s.cut(r.PathValue("client"))
	w.WriteHeader(http.StatusNoContent)
}

// cut ends the client's session if what it showed is not good any more.
func (s *stranger) cut(client string) {
	if c, ok := s.sessions[client]; ok && !s.good(client, c.shown) {
		c.conn.Close()
	}
}

func (s *stranger) good(client, shown string) bool {
	a, ok := s.clients[client]
	return ok && shown != "" && (slices.Contains(a.Fingerprints, shown) || s.secrets[client] == shown)
}

func (s *stranger) list(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{}
	for c := range s.clients {
		names = append(names, c)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"clients": names})
}

func (s *stranger) state(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{"epoch": s.epoch, "sessions": len(s.sessions)})
}

// serve talks to one device: "client" TAB "user" TAB "secret", then messages, each answered with "ok".
func (s *stranger) serve(c *tls.Conn) {
	defer c.Close()
	lines := bufio.NewScanner(c)
	if c.Handshake() != nil || !lines.Scan() {
		return
	}
	words := strings.Split(lines.Text(), "\t")
	if len(words) != 3 {
		return
	}
	client, shown := words[0], words[2]
	if chain := c.ConnectionState().PeerCertificates; len(chain) > 0 {
		shown = pki.Fingerprint(chain[0].Raw)
		if chain[0].Subject.CommonName != client {
			return
		}
	}
	s.mu.Lock()
	good := s.good(client, shown)
	if good {
		if old, ok := s.sessions[client]; ok {
			old.conn.Close()
		}
		s.sessions[client] = session{c, shown}
	}
	s.mu.Unlock()
	if !good {
		return
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.sessions[client].conn == net.Conn(c) {
			delete(s.sessions, client)
		}
	}()
	for first, ok := true, true; ok; first, ok = false, lines.Scan() {
		if !first && s.heard != nil && !s.heard(client, lines.Text()) {
			return // the device says it again when it has come back
		}
		if _, err := fmt.Fprintln(c, "ok"); err != nil {
			return
		}
	}
}

type lineDevice struct {
	conn  net.Conn
	lines chan string
	gone  chan struct{}
}

func (s *stranger) dial(w *linktest.World, id linktest.Identity) (*lineDevice, error) {
	c, err := tls.Dial("tcp", s.devices.Addr().String(), w.CA.Client(id))
	if err != nil {
		return nil, err
	}
	d := &lineDevice{conn: c, lines: make(chan string, 16), gone: make(chan struct{})}
	go func() {
		defer close(d.gone)
		for lines := bufio.NewScanner(c); lines.Scan(); {
			d.lines <- lines.Text()
		}
	}()
	return d, d.say(id.Client + "\t" + id.User + "\t" + id.Password)
}

func (d *lineDevice) say(line string) error {
	if _, err := fmt.Fprintln(d.conn, line); err != nil {
		return err
	}
	select {
	case <-d.lines:
		return nil
	case <-d.gone:
		return errors.New("the gateway has ended the connection")
	case <-time.After(linktest.Patience):
		return errors.New("no answer")
	}
}

func (d *lineDevice) Publish() error        { return d.say(`{"rpm":1}`) }
func (d *lineDevice) Gone() <-chan struct{} { return d.gone }
func (d *lineDevice) Close()                { d.conn.Close() }
