package images_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/castor-iot/castor/infra/local"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/tests/images"
	"github.com/castor-iot/castor/tests/mongo"
	"github.com/nats-io/nats-server/v2/server"
)

// nobody is the user of the images; tests that run as root start the programs as this one.
const nobody = 10001

const password = "correct horse battery staple"

// programs are built once for all tests, where any user may run them.
var programs = sync.OnceValues(func() (map[string]string, error) { return images.BuildAll(programsDir) })

var programsDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "castor-programs-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programsDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// A world is what functions stand on: real stores, secrets as files, and something in the place of the user gateway.
type world struct {
	t       *testing.T
	dir     string // readable by everybody, writable by none of the programs
	env     map[string]string
	gateway *httptest.Server

	mu    sync.Mutex
	at    map[string]*url.URL // function → its program
	delay chan struct{}       // calls wait until it is closed; nil = they do not
	held  chan struct{}       // told of each call that waits
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "castor-images-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := &world{t: t, dir: dir, at: map[string]*url.URL{}, held: make(chan struct{}, 100)}
	w.gateway = httptest.NewServer(http.HandlerFunc(w.proxy))
	t.Cleanup(w.gateway.Close)

	ns, err := server.NewServer(&server.Options{ServerName: "test", Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS does not come up")
	}
	objects, err := local.StartObjects(local.ObjectsConfig{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(objects.Close)
	s3 := objects.Config()

	w.env = map[string]string{"CASTOR_MONGO_URL": mongo.Start(t), "CASTOR_NATS_URL": ns.ClientURL(), "CASTOR_GATEWAY_URL": w.gateway.URL,
		"CASTOR_PROVISIONING": "tls://127.0.0.1:8884", "CASTOR_S3_ENDPOINT": s3.Endpoint, "CASTOR_S3_BUCKET": s3.Bucket, "CASTOR_SECRETS": filepath.Join(dir, "secrets")}
	cert, key, err := pki.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	parts := rand.Text() + rand.Text()
	for name, text := range map[string]string{platform.SecretParts: parts, platform.SecretSeal: rand.Text() + rand.Text(), platform.SecretVerify: rand.Text() + rand.Text(), platform.SecretCACert: string(cert),
		platform.SecretCAKey: string(key), platform.SecretAdmin: password, platform.SecretSMTP: "none", "castor-s3-access": s3.AccessKey, "castor-s3-secret": s3.SecretKey} {
		w.secret(name, text)
	}
	for _, name := range functionNames(t) {
		w.secret(platform.PartSecret(name, ""), platform.DerivePart([]byte(parts), name, ""))
	}
	return w
}

// secret writes a secret's file.
func (w *world) secret(name, text string) {
	w.t.Helper()
	dir := filepath.Join(w.dir, "secrets")
	err := errors.Join(os.Chmod(w.dir, 0o755), os.MkdirAll(dir, 0o755), os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644),
		os.Chmod(filepath.Join(dir, name), 0o644))
	if err != nil {
		w.t.Fatal(err)
	}
}

// proxy passes calls of /function/<name>/… on to the program of that name, as the OpenFaaS gateway does.
func (w *world) proxy(rw http.ResponseWriter, r *http.Request) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/function/"), "/")
	w.mu.Lock()
	to, delay := w.at[name], w.delay
	w.mu.Unlock()
	if delay != nil {
		w.held <- struct{}{}
		select {
		case <-delay:
		case <-r.Context().Done():
			return
		}
	}
	if to == nil {
		http.Error(rw, "no function "+name, http.StatusServiceUnavailable)
		return
	}
	(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(to)
		p.Out.URL.Path, p.Out.URL.RawPath = "/"+rest, ""
	}, ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, err error) {
		http.Error(rw, err.Error(), http.StatusBadGateway)
	}}).ServeHTTP(rw, r)
}

// A process is a running program of a function.
type process struct {
	t       *testing.T
	URL     string // where it takes calls
	Metrics string
	cmd     *exec.Cmd
	log     *logged
	done    chan error // its end
}

type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs a function's program as its image does: as a user without rights, in a folder that it cannot write to, with no
// home and nothing in its environment but its settings. env goes before the world's.
func (w *world) start(function string, env ...string) *process {
	t := w.t
	t.Helper()
	all, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, log: &logged{}, done: make(chan error, 1)}
	listen, observe := freeAddress(t), freeAddress(t)
	p.URL, p.Metrics = "http://"+listen, "http://"+observe
	empty := filepath.Join(w.dir, "empty")
	if err := errors.Join(os.MkdirAll(empty, 0o555), os.Chmod(empty, 0o555)); err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(all[function])
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = empty, p.log, p.log
	p.cmd.Env = []string{"TMPDIR=" + empty, "CASTOR_LISTEN=" + listen, "CASTOR_METRICS=" + observe}
	for k, v := range w.env {
		p.cmd.Env = append(p.cmd.Env, k+"="+v)
	}
	p.cmd.Env = append(p.cmd.Env, env...)
	if os.Geteuid() == 0 {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", function, p.log)
		}
	})
	to, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at[function] = to
	return p
}

// end waits until the program ends, and returns how.
func (p *process) end() error {
	p.t.Helper()
	select {
	case err := <-p.done:
		return err
	case <-time.After(15 * time.Second):
		p.t.Fatal("the program does not end")
		return nil
	}
}

// status is what GET answers; 0 while nobody does.
func status(u string) int {
	resp, err := client.Get(u)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

var client = &http.Client{Timeout: 30 * time.Second}

// send makes a call and returns the answer with its body read.
func send(t *testing.T, method, u, token, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, u, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); <-time.After(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("after 30 s it is still not so: %s", what)
}

// given are addresses that processes were told, which may not have taken them yet.
var given sync.Map

func freeAddress(t *testing.T) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		l.Close()
		if _, taken := given.LoadOrStore(address, true); !taken {
			return address
		}
	}
}
