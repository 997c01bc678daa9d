package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/twin"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// Acme is a gateway of somebody else's: an MQTT broker whose maker has read docs/gateways.md and nothing else of the platform. It keeps
// whom it lets in, brings what its devices say to the relay, and polls for what is for them.
type acme struct {
	mqtt.HookBase
	w        *World
	broker   *mqtt.Server
	contract *httptest.Server
	relay    string
	epoch    string
	http     *http.Client
	token    string // of its service account, at the relay
	expects  string // of the platform, at the contract

	mu     sync.Mutex
	admits map[string]admission
	shown  map[string]string // certificate by client that is connected
}

// An admission is as much of the contract's as this gateway needs: its devices show certificates.
type admission struct {
	Client, Phase string
	Fingerprints  []string
}

// newAcme starts the contract; devices are let in by listen.
func (w *World) newAcme() *acme {
	g := &acme{w: w, epoch: rand.Text(), admits: map[string]admission{}, shown: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /castor/clients/{client}", func(rw http.ResponseWriter, r *http.Request) {
		var a admission
		if json.NewDecoder(r.Body).Decode(&a) != nil || a.Client != r.PathValue("client") || a.Phase != "operational" {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		g.lets(a.Client, a)
		rw.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /castor/clients/{client}", func(rw http.ResponseWriter, r *http.Request) {
		g.lets(r.PathValue("client"), admission{})
		rw.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /castor/clients", func(rw http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(rw).Encode(map[string]any{"clients": g.clients()})
	})
	mux.HandleFunc("GET /castor/state", func(rw http.ResponseWriter, _ *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		_ = json.NewEncoder(rw).Encode(map[string]any{"epoch": g.epoch, "sessions": len(g.shown)})
	})
	g.contract = httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		expects := g.expects
		g.mu.Unlock()
		if expects == "" || r.Header.Get("Authorization") != "Bearer "+expects {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(rw, r)
	}))
	w.Cleanup(g.contract.Close)
	return g
}

// ca writes the file with the CA of the contract's certificate.
func (g *acme) ca() string {
	file := filepath.Join(g.w.TempDir(), "acme.pem")
	g.w.must(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.contract.Certificate().Raw}), 0o600), "the contract's CA")
	return file
}

// listen takes devices, whose certificates the platform's CA has signed, and speaks to the relay, whose certificate is that CA's too.
func (g *acme) listen(address, relay string, server tls.Certificate, ca *x509.CertPool, expects, token string) {
	g.mu.Lock()
	g.expects = expects
	g.mu.Unlock()
	g.relay, g.token = relay, token
	g.http = &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca, MinVersion: tls.VersionTLS12}}}
	g.broker = mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	g.w.must(g.broker.AddHook(g, nil), "hook")
	config := &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca, MinVersion: tls.VersionTLS12}
	g.w.must(g.broker.AddListener(listeners.NewTCP(listeners.Config{ID: "devices", Address: address, TLSConfig: config})), "listener")
	g.w.must(g.broker.Serve(), "the broker")
	ctx, stop := context.WithCancel(context.WithoutCancel(g.w.Context()))
	var polling sync.WaitGroup
	polling.Go(func() { g.poll(ctx) })
	g.w.Cleanup(func() {
		_ = g.broker.Close()
		stop()
		polling.Wait()
	})
}

// lets takes an admission, or ends it; a session that was begun by another certificate ends.
func (g *acme) lets(client string, a admission) {
	g.mu.Lock()
	if g.admits[client] = a; a.Client == "" {
		delete(g.admits, client)
	}
	shown, there := g.shown[client]
	g.mu.Unlock()
	if cl, ok := g.broker.Clients.Get(client); ok && there && !slices.Contains(a.Fingerprints, shown) {
		_ = g.broker.DisconnectClient(cl, packets.ErrNotAuthorized)
	}
}

func (g *acme) clients() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	names := []string{}
	for c := range g.admits {
		names = append(names, c)
	}
	return names
}

// ID, Provides and what follows are the broker's hook.
func (g *acme) ID() string { return "acme" }

func (g *acme) Provides(b byte) bool {
	return slices.Contains([]byte{mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnSessionEstablished, mqtt.OnDisconnect, mqtt.OnPublish}, b)
}

func (g *acme) OnConnectAuthenticate(cl *mqtt.Client, pk packets.Packet) bool {
	c, ok := cl.Net.Conn.(*tls.Conn)
	if !ok {
		return false
	}
	leaf := c.ConnectionState().PeerCertificates[0]
	g.mu.Lock()
	defer g.mu.Unlock()
	shown := pki.Fingerprint(leaf.Raw)
	in := leaf.Subject.CommonName == pk.Connect.ClientIdentifier && slices.Contains(g.admits[pk.Connect.ClientIdentifier].Fingerprints, shown)
	if in {
		g.shown[pk.Connect.ClientIdentifier] = shown
	}
	return in
}

func (g *acme) OnACLCheck(cl *mqtt.Client, topic string, _ bool) bool {
	return strings.HasPrefix(topic, "castor/"+cl.ID+"/")
}

func (g *acme) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	g.brings(map[string]any{"client": cl.ID, "kind": "connected"})
}

func (g *acme) OnDisconnect(cl *mqtt.Client, _ error, _ bool) {
	g.mu.Lock()
	delete(g.shown, cl.ID)
	g.mu.Unlock()
	g.brings(map[string]any{"client": cl.ID, "kind": "disconnected"})
}

// kinds are what devices' topics are to the relay.
var kinds = map[string]string{"telemetry": "telemetry", "state/reported": "state", "event": "event", "provision/confirm": "confirm", "credential/renew": "renew",
	"credential/confirm": "renewed"}

// OnPublish has the broker acknowledge what the relay has said is stored, and nothing else.
func (g *acme) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	name := strings.TrimPrefix(pk.TopicName, "castor/"+cl.ID+"/")
	report := map[string]any{"client": cl.ID, "kind": kinds[name], "raw": pk.Payload}
	if json.Valid(pk.Payload) {
		delete(report, "raw")
		report["body"] = json.RawMessage(pk.Payload)
	}
	if words := strings.Split(name, "/"); words[0] == "log" {
		report["kind"], report["word"] = "log", words[1]
	} else if words[0] == "command" {
		report["kind"], report["word"] = "response", words[1]
	}
	if !g.brings(report) {
		return pk, packets.ErrRejectPacket // the device says it again
	}
	if o := newestOrder(pk.Payload); o.Seq > 0 {
		payload, _ := json.Marshal(o)
		_ = g.broker.Publish("castor/"+cl.ID+"/ack", payload, false, 1)
	}
	return pk, packets.CodeSuccessIgnore
}

// newestOrder is the last of what a message counts.
func newestOrder(payload []byte) (o twin.Order) {
	var all []twin.Order
	if json.Unmarshal(payload, &all) == nil && len(all) > 0 {
		return all[len(all)-1]
	}
	_ = json.Unmarshal(payload, &o)
	return o
}

// brings has one report stored; one that is not yet is sent again.
func (g *acme) brings(report map[string]any) bool {
	body, err := json.Marshal(map[string]any{"reports": []any{report}})
	if err != nil {
		return false
	}
	for range 100 {
		var out struct {
			Results []struct {
				Stored bool
				Reason string
			}
		}
		if err := g.call(context.Background(), "POST", "/v1/reports", body, &out); err == nil && len(out.Results) == 1 && out.Results[0].Reason != "not-yet" {
			return out.Results[0].Stored
		}
		<-time.After(50 * time.Millisecond)
	}
	return false
}

// poll hands to devices what is for them.
func (g *acme) poll(ctx context.Context) {
	for ctx.Err() == nil {
		var out struct {
			Downlinks []struct {
				Client, Name string
				Body         json.RawMessage
			}
		}
		if err := g.call(ctx, "GET", "/v1/downlinks?wait=30", nil, &out); err != nil {
			<-time.After(50 * time.Millisecond)
		}
		for _, d := range out.Downlinks {
			_ = g.broker.Publish("castor/"+d.Client+"/"+d.Name, d.Body, false, 1)
		}
	}
}

func (g *acme) call(ctx context.Context, method, path string, body []byte, out any) error {
	r, err := http.NewRequestWithContext(ctx, method, g.relay+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+g.token)
	r.Header.Set("Content-Type", "application/json")
	response, err := g.http.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	switch {
	case err != nil || response.StatusCode == http.StatusNoContent:
		return err
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%d %s", response.StatusCode, text)
	}
	return json.Unmarshal(text, out)
}
