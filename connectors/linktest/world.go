// Package linktest is the suite that every protocol of the connectors passes: it runs the protocol's real gateway and
// connector on a real bus, with real devices on TLS, against a peer that speaks the functions' HTTP contract and can be
// told to fail. It tests no function.
package linktest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/nats-io/nats-server/v2/server"
)

// Patience is how long a test waits for what must happen.
const Patience = time.Minute

// Soon is when what a story waits for has long happened.
func Soon() time.Time { return time.Now().Add(time.Hour) }

// Quiet drops log lines.
var Quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// A World is what a gateway and its connector stand on.
type World struct {
	t        testing.TB
	Gateway  string // id
	Dir      string // for the gateway's file
	Platform *Platform
	API      *api.Client
	Bus      *bus.Bus
	CA       *CA
}

// NewWorld starts a bus and a platform.
func NewWorld(t testing.TB) *World {
	t.Helper()
	w := &World{t: t, Gateway: "gw-1", Dir: t.TempDir(), Platform: &Platform{}, Bus: StartBus(t), CA: NewCA(t)}
	w.API = w.Platform.Serve(t)
	return w
}

// StartBus starts a NATS server in process and connects to it.
func StartBus(t testing.TB) *bus.Bus {
	b, _ := StartServer(t)
	return b
}

// StartServer is StartBus for tests that need the bus to go away: stop ends the server and leaves the connection.
func StartServer(t testing.TB) (b *bus.Bus, stop func()) {
	t.Helper()
	s, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(Patience) {
		t.Fatal("the bus does not start")
	}
	if b, err = bus.Connect(context.Background(), "", bus.InProcess(s), bus.Logger(Quiet)); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		s.Shutdown()
		s.WaitForShutdown()
	}
	t.Cleanup(func() {
		_ = b.Close()
		stop()
	})
	return b, stop
}

// Admit puts an admission into the gateway's bucket and returns its revision.
func (w *World) Admit(a api.Admission) uint64 {
	w.t.Helper()
	w.CA.issued.admit(a.Client, a.Fingerprints)
	value, err := json.Marshal(a)
	if err != nil {
		w.t.Fatal(err)
	}
	revision, err := w.bucket().Put(context.Background(), api.AdmissionKey(a.Client), value)
	if err != nil {
		w.t.Fatal(err)
	}
	return revision
}

// AdmitDevice makes a certificate for ref and lets it in at the operational gateway.
func (w *World) AdmitDevice(ref device.Ref) Identity {
	w.t.Helper()
	cert := w.CA.Issue(w.t, string(ref))
	w.Admit(api.Admission{Client: string(ref), Phase: "operational", Fingerprints: []string{Fingerprint(cert)}})
	return Identity{Client: string(ref), Operational: true, Certificate: &cert}
}

// Applied tells how many clients the gateway has taken over since.
func (w *World) Applied() func() int {
	w.t.Helper()
	var mu sync.Mutex
	clients := map[string]bool{}
	stop, err := w.Bus.Watch([]event.Topic{event.GatewayApplied}, func(e event.Event) {
		var a api.GatewayApplied
		if e.Decode(&a) == nil && a.Gateway == w.Gateway {
			mu.Lock()
			defer mu.Unlock()
			clients[a.Client] = true
		}
	}, func() {})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(stop)
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(clients)
	}
}

// VerifierKey is what gateways in tests verify devices' secrets with.
var VerifierKey = []byte("thirty-two bytes of one test key")

// Secret makes a secret of the kind for ref: what the device shows, what lets it in, and the bare secret.
func Secret(ref device.Ref, kind device.Kind) (Identity, api.Admission, string) {
	secret := rand.Text()
	id := Identity{Client: string(ref), Operational: true, User: string(ref), Password: secret}
	a := api.Admission{Client: string(ref), Phase: "operational", Kind: kind, Verifiers: []string{device.Verifier(VerifierKey, ref, secret)}}
	if kind == device.Password {
		id.User, a.Username = "user of "+string(ref), "user of "+string(ref)
	} else {
		id.User, id.Password = "", device.Joined(ref, secret)
	}
	return id, a, secret
}

// AdmitSecret lets a device with a new secret of the kind in at the operational gateway.
func (w *World) AdmitSecret(ref device.Ref, kind device.Kind) Identity {
	w.t.Helper()
	id, a, _ := Secret(ref, kind)
	w.Admit(a)
	return id
}

// AdmitClaim lets a claim in at the provisioning gateway.
func (w *World) AdmitClaim(claim, token string) {
	w.t.Helper()
	sum := sha256.Sum256([]byte(token))
	w.Admit(api.Admission{Client: claim, Phase: "provisioning", Type: "pump", Verifiers: []string{hex.EncodeToString(sum[:])}})
}

// Fill marks the gateway's bucket as full, as function gateways does.
func (w *World) Fill() {
	w.t.Helper()
	if _, err := w.bucket().Put(context.Background(), api.FilledKey, nil); err != nil {
		w.t.Fatal(err)
	}
}

// Dismiss takes a client out of the bucket.
func (w *World) Dismiss(client string) uint64 {
	w.t.Helper()
	w.CA.issued.admit(client, nil)
	revision, err := w.bucket().Delete(context.Background(), api.AdmissionKey(client))
	if err != nil {
		w.t.Fatal(err)
	}
	return revision
}

func (w *World) bucket() *bus.Bucket {
	w.t.Helper()
	k, err := w.Bus.Bucket(context.Background(), api.BucketOf(w.Gateway))
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

// Identity is what a device shows: a certificate, a user name and a password, a token ("<ref>.<secret>") as Password alone, or a
// claim and its token.
type Identity struct {
	Client      string
	Operational bool // it comes to an operational gateway
	Certificate *tls.Certificate
	User        string
	Password    string
}

// Fingerprint is the SHA-256 of the certificate.
func Fingerprint(c tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	return hex.EncodeToString(sum[:])
}

// CA signs gateways and devices of one test.
type CA struct {
	issued issued
	key    *ecdsa.PrivateKey
	cert   *x509.Certificate
	Pool   *x509.CertPool
}

// NewCA makes a CA.
func NewCA(t testing.TB) *CA {
	t.Helper()
	ca := &CA{Pool: x509.NewCertPool()}
	der, key := sign(t, "castor test CA", nil)
	var err error
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	ca.key = key
	ca.Pool.AddCert(ca.cert)
	return ca
}

// Issue makes a certificate for name, and for this machine's loopback addresses.
func (ca *CA) Issue(t testing.TB, name string) tls.Certificate {
	t.Helper()
	der, key := sign(t, name, ca)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	ca.issued.add(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Server is the TLS side of a gateway; mutual = it verifies device certificates.
func (ca *CA) Server(t testing.TB, mutual bool) *tls.Config {
	c := &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "gateway")}, MinVersion: tls.VersionTLS12}
	if mutual {
		c.ClientAuth, c.ClientCAs = tls.VerifyClientCertIfGiven, ca.Pool
	}
	return c
}

// Client is the TLS side of a device.
func (ca *CA) Client(id Identity) *tls.Config {
	c := &tls.Config{RootCAs: ca.Pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
	if id.Certificate != nil {
		c.Certificates = []tls.Certificate{*id.Certificate}
	}
	return c
}

// sign makes a certificate by ca, or by itself where ca is nil.
func sign(t testing.TB, name string, ca *CA) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true,
	}
	parent, signer := template, key
	if ca == nil {
		template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	} else {
		parent, signer = ca.cert, ca.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// Eventually waits for ok.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		<-time.After(2 * time.Millisecond)
	}
}
