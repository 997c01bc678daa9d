package credentials_test

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/castor-iot/castor/functions/credentials"
	"github.com/castor-iot/castor/functions/gateways"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// log keeps every line.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

// everything is all that is on disk of store and bus (tables, write-ahead log, streams), and what was logged.
func (w *world) everything(l *log) map[string][]byte {
	w.t.Helper()
	l.mu.Lock()
	out := map[string][]byte{"log": bytes.Clone(l.b.Bytes())}
	l.mu.Unlock()
	for _, dir := range w.Folders {
		files := os.DirFS(dir)
		err := fs.WalkDir(files, ".", func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			b, err := fs.ReadFile(files, path)
			out[dir+"/"+path] = b
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return out
}

// No plain secret is anywhere but in the device's hands: not in the store's files, its write-ahead log, the bus' files, the
// events, the log, nor in what anybody is answered; what was sealed is gone once the device has it.
func TestNoPlainSecretIsAnywhere(t *testing.T) {
	w := start(t)
	var said log
	w.Base.Log = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for name, build := range (functiontest.Functions{"credentials": credentials.New, "gateways": gateways.New}) {
		w.Add(name, build)
	}
	changed := w.Collect(event.CredentialChanged)
	ctx := context.Background()
	secrets := map[string]string{} // by what they are
	for _, kind := range []device.Kind{device.Token, device.Password, device.APIKey} {
		first, second := newReader(t), newReader(t)
		id := twin.ID("p-of-" + kind)
		c := w.placed(id, api.NewCredential{Kind: kind, PublicKey: first.public})
		secrets["first "+string(kind)] = bare(t, first.open(t, c.Ref, c.Sealed))
		answer, err := w.Part("connector", "op").RenewCredential(ctx, c.Ref, api.Renewal{PublicKey: second.public})
		if err != nil {
			t.Fatal(err)
		}
		renewed := bare(t, second.open(t, c.Ref, answer.Sealed))
		secrets["renewed "+string(kind)] = renewed
		verifier, err := w.Platform("credentials").Verifier(c.Ref, renewed)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Part("connector", "op").ConfirmCredential(ctx, c.Ref, api.Shown{Verifier: verifier}); err != nil {
			t.Fatal(err)
		}
		stored := w.stored("credentials", id)
		if !bytes.Contains(stored, []byte(verifier)) {
			t.Errorf("the verifier of the %s is not in its document: the test looks at the wrong place", kind)
		}
		for what, sealed := range map[string]string{"first": c.Sealed, "renewed": answer.Sealed} {
			if bytes.Contains(stored, []byte(sealed)) {
				t.Errorf("the %s sealed %s is still stored, although the device has it", what, kind)
			}
		}
	}
	functiontest.Eventually(t, "events are out", func() bool { return len(changed()) >= 6 })
	all, verifierSeen, refSeen := w.everything(&said), false, false
	for file, b := range all {
		for what, secret := range secrets {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("the %s is in %s", what, file)
			}
		}
		verifierSeen = verifierSeen || strings.HasPrefix(file, w.Folders[0]) && bytes.Contains(b, []byte("verifier"))
		refSeen = refSeen || strings.HasPrefix(file, w.Folders[1]) && bytes.Contains(b, []byte("p-of-token"))
	}
	if !verifierSeen || !refSeen || len(all["log"]) == 0 {
		t.Errorf("%d files of store and bus, %d bytes of log: what should be there is not, so the test looks at the wrong place", len(all), len(all["log"]))
	}
}

// stored is the document of a twin as it is in the store.
func (w *world) stored(collection string, id twin.ID) (out []byte) {
	w.t.Helper()
	table, err := w.Base.DB.Driver().Table(context.Background(), collection, nil)
	if err == nil {
		_, err = table.Walk(context.Background(), store.Walk{Segments: []store.Segment{{}}}, func(h store.Hit) error {
			if bytes.Contains(h.Doc, []byte(id)) {
				out = bytes.Clone(h.Doc)
			}
			return nil
		})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}
