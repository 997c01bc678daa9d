package twinprovision_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/seal"
	"github.com/castor-iot/castor/shared/twin"
)

// lines keeps all that is logged.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

// Of a whole provisioning with a token, the plain secret is nowhere but in the device: not in the files of store and bus
// (tables, write-ahead log, events, answers), not in the log. What was sealed for the device leaves the run once it has confirmed.
func TestATokenIsNowhereInPlain(t *testing.T) {
	w := start(t)
	var said lines
	w.Base.Log = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for name, build := range all {
		w.Add(name, build)
	}
	m, err := w.admin.GetModel(w.ctx, "automatic")
	w.must(err)
	m.ID, m.Version = "tokens", 0
	for n := range m.States {
		if s := &m.States[n]; s.Do == provision.IssueCredential {
			s.With = map[string]string{"kind": string(device.Token)}
		}
	}
	_, err = w.admin.PutModel(w.ctx, m)
	w.must(err)
	w.newType("probe", twin.Model{Provisioning: "tokens"})
	w.identity("P-7")
	public, private, err := seal.NewKey()
	w.must(err)
	run, bundle := w.provision(w.request(w.claim(api.NewClaim{Type: "probe"}), "P-7", func(r *api.ProvisionRequest) {
		r.Type, r.CSR, r.Kind, r.PublicKey = "probe", "", string(device.Token), public
	}))
	if bundle == nil || bundle.Sealed == "" {
		t.Fatalf("bundle %+v of\n%s", bundle, log(run))
	}
	plain, err := seal.Open(private, api.SealInfo(bundle.Ref), bundle.Sealed)
	w.must(err)
	var s api.Secret
	w.must(json.Unmarshal(plain, &s))
	ref, secret, ok := device.Split(s.Secret)
	if !ok || ref != bundle.Ref || s.Kind != device.Token {
		t.Fatalf("a %s of %s", s.Kind, ref)
	}
	if run = w.run(run.ID); run.Outcome != provision.Completed || run.Results.Sealed != "" {
		t.Errorf("the run ended as %q; what was sealed is gone from it: %v", run.Outcome, run.Results.Sealed == "")
	}
	seen := map[string]bool{}
	look := func(where string, b []byte) {
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("the secret is in %s", where)
		}
		for what, text := range map[string]string{"verifier": run.Results.Verifier, "reference": string(ref)} {
			if text != "" && bytes.Contains(b, []byte(text)) {
				seen[what] = true
			}
		}
	}
	for _, dir := range w.Folders {
		files := os.DirFS(dir)
		w.must(fs.WalkDir(files, ".", func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			b, err := fs.ReadFile(files, path)
			look(path, b)
			return err
		}))
	}
	said.mu.Lock()
	defer said.mu.Unlock()
	look("the log", said.b.Bytes())
	if !seen["reference"] || !strings.Contains(said.b.String(), "credentials") {
		t.Error("what should be there is not found: the test looks at the wrong places")
	}
}
