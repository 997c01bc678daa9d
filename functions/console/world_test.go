package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/castor-iot/castor/functions/console"
	"github.com/castor-iot/castor/infra/gateway"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/tests/contract"
	"github.com/castor-iot/castor/tests/functiontest"
)

// built is an interface as Vite and the compression after it leave it.
func built() fstest.MapFS {
	return fstest.MapFS{
		"index.html":              {Data: []byte(`<!doctype html><meta property="csp-nonce" content="__CSP_NONCE__"><script type="module" src="/function/console/assets/index-1a2b.js"></script>`)},
		"castor.svg":              {Data: []byte(`<svg/>`)},
		"assets/index-1a2b.js":    {Data: []byte("plain script")},
		"assets/index-1a2b.js.br": {Data: []byte("br\x00\xff")},
		"assets/index-1a2b.js.gz": {Data: []byte("gz\x1f\x8b")},
		"assets/inter-3c4d.woff2": {Data: []byte("wOF2\x00\x01\xfe")},
		"assets/notes":            {Data: []byte("of no type")},
	}
}

// A world is the function behind the real user gateway.
type world struct {
	*functiontest.World
	t   *testing.T
	url string // of the gateway
}

// each runs a test with the function in the gateway's process, and with the gateway forwarding to it.
func each(t *testing.T, ui fs.FS, test func(t *testing.T, w *world)) {
	build := func(p *platform.Platform) faas.Func { return console.Serve(p, ui) }
	for name, where := range map[string]func(w *functiontest.World) gateway.Function{
		"in process": func(w *functiontest.World) gateway.Function {
			f := build(w.Platform("console"))
			return gateway.Function{Name: "console", Invoke: f}
		},
		"forwarded": func(w *functiontest.World) gateway.Function {
			return gateway.Function{Name: "console", Upstreams: []string{w.URL + "/function/console"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{World: functiontest.New(t, functiontest.Functions{"console": build}), t: t}
			users := gateway.Function{Name: "users", Upstreams: []string{w.URL + "/function/users"}}
			s := httptest.NewServer(gateway.New(gateway.Config{Functions: []gateway.Function{where(w.World), users}}))
			t.Cleanup(s.Close)
			w.url = s.URL
			test(t, w)
		})
	}
}

// An answer is what came of a call, its body read.
type answer struct {
	*http.Response
	body []byte
}

// call makes a call as it is: nothing is followed, unpacked or added. It is held against openapi.yaml.
func (w *world) call(method, path, body string, header ...string) answer {
	w.t.Helper()
	return w.callAt(w.url, method, path, body, header...)
}

// callAt is call past the gateway, as one says it that is in front.
func (w *world) callAt(url, method, path, body string, header ...string) answer {
	w.t.Helper()
	c, err := contract.Load()
	if err != nil {
		w.t.Fatal(err)
	}
	return w.send(c.Transport(w.t, asIs), method, url+path, body, header)
}

// open is a GET of a page, of which openapi.yaml names none that have several words.
func (w *world) open(path string, header ...string) answer {
	w.t.Helper()
	return w.send(asIs, "GET", w.url+path, "", header)
}

var asIs = &http.Transport{DisableCompression: true, DisableKeepAlives: true}

func (w *world) send(by http.RoundTripper, method, url, body string, header []string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := by.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{resp, b}
}

// json reads the answer's body.
func (a answer) json(t *testing.T, into any) {
	t.Helper()
	if err := json.NewDecoder(bytes.NewReader(a.body)).Decode(into); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
}

// cookie is what the answer sets a cookie to.
func (a answer) cookie(t *testing.T, name string) *http.Cookie {
	t.Helper()
	for _, c := range a.Cookies() {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("%d %s sets no cookie %s", a.StatusCode, a.body, name)
	return nil
}
