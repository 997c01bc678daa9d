package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func TestAssets(t *testing.T) {
	each(t, built(), func(t *testing.T, w *world) {
		for name, c := range map[string]struct {
			accept         []string
			encoding, body string
		}{
			"no word of encodings":       {nil, "", "plain script"},
			"as browsers ask":            {[]string{"gzip, deflate, br, zstd"}, "br", "br\x00\xff"},
			"gzip only":                  {[]string{"gzip"}, "gzip", "gz\x1f\x8b"},
			"br refused":                 {[]string{"br;q=0, gzip;q=0.5"}, "gzip", "gz\x1f\x8b"},
			"anything":                   {[]string{"*"}, "br", "br\x00\xff"},
			"anything but br":            {[]string{"br; q=0.0, *"}, "gzip", "gz\x1f\x8b"},
			"nothing":                    {[]string{"identity, *;q=0"}, "", "plain script"},
			"in two headers, capitals":   {[]string{"deflate", "BR"}, "br", "br\x00\xff"},
			"a weight that is no number": {[]string{"br;q=high"}, "", "plain script"},
			"rubbish":                    {[]string{",;=;q,,brr"}, "", "plain script"},
		} {
			var header []string
			for _, a := range c.accept {
				header = append(header, "Accept-Encoding", a)
			}
			a := w.call("GET", "/function/console/assets/index-1a2b.js", "", header...)
			if a.StatusCode != 200 || string(a.body) != c.body || a.Header.Get("Content-Encoding") != c.encoding {
				t.Errorf("%s: %d %q in %q", name, a.StatusCode, a.body, a.Header.Get("Content-Encoding"))
			}
			for header, want := range map[string]string{"Content-Type": "text/javascript; charset=utf-8", "Vary": "Accept-Encoding",
				"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"} {
				if got := a.Header.Get(header); got != want {
					t.Errorf("%s: %s: %s, want %s", name, header, got, want)
				}
			}
		}
		font := w.call("GET", "/function/console/assets/inter-3c4d.woff2", "", "Accept-Encoding", "br")
		if string(font.body) != "wOF2\x00\x01\xfe" || font.Header.Get("Content-Type") != "font/woff2" || font.Header.Get("Vary") != "" {
			t.Errorf("a font: %q %v", font.body, font.Header)
		}
	})
}

func TestAssetsThatTheCallerHas(t *testing.T) {
	each(t, built(), func(t *testing.T, w *world) {
		const path = "/function/console/assets/index-1a2b.js"
		plain, br := w.call("GET", path, "").Header.Get("Etag"), w.call("GET", path, "", "Accept-Encoding", "br").Header.Get("Etag")
		if !regexp.MustCompile(`^"[\w-]{16}"$`).MatchString(plain) || plain == br {
			t.Fatalf("tags %s and %s", plain, br)
		}
		for name, c := range map[string]struct {
			have   string
			status int
		}{
			"this one":      {br, 304},
			"among others":  {`"x", W/` + br, 304},
			"any":           {"*", 304},
			"another":       {`"x"`, 200},
			"another form":  {plain, 200},
			"without marks": {strings.Trim(br, `"`), 200},
		} {
			a := w.call("GET", path, "", "Accept-Encoding", "br", "If-None-Match", c.have)
			if a.StatusCode != c.status || c.status == 304 && len(a.body) > 0 || a.Header.Get("Etag") != br || a.Header.Get("Vary") == "" || a.Header.Get("Cache-Control") == "no-store" {
				t.Errorf("%s: %d %q %v", name, a.StatusCode, a.body, a.Header)
			}
		}
		head := w.send(asIs, "HEAD", w.url+path, "", nil)
		if head.StatusCode != 200 || len(head.body) > 0 || head.Header.Get("Etag") != plain {
			t.Errorf("HEAD: %d %q %v", head.StatusCode, head.body, head.Header)
		}
	})
}

// A path is looked up among what was built and nowhere else.
func TestNoOtherFiles(t *testing.T) {
	each(t, built(), func(t *testing.T, w *world) {
		for _, path := range []string{"index-ffff.js", "index-1a2b.js.br", "index-1a2b.js.gz", "notes", "", "x/index-1a2b.js", "index-1a2b.js/", "index-1A2B.js",
			"..%2findex.html", "..%5c..%5cREADME.md", "%2e%2e/index.html", "../../handler.go", "%00", "..%2f..%2f..%2fetc%2fpasswd", "index-1a2b.js%00.css"} {
			a := w.call("GET", "/function/console/assets/"+path, "")
			if a.StatusCode != 404 && a.StatusCode != 400 || strings.Contains(string(a.body), "script") {
				t.Errorf("%s: %d %.100s", path, a.StatusCode, a.body)
			}
		}
		for _, path := range []string{"/README.md", "/dist/README.md", "/ui/index.html", "/etc/passwd", "/handler.go"} { // the interface's router says there is no such page
			if a := w.open("/function/console" + path); a.StatusCode != 200 || !strings.HasPrefix(string(a.body), "<!doctype html>") {
				t.Errorf("%s: %d %.100s", path, a.StatusCode, a.body)
			}
		}
	})
}

func TestPage(t *testing.T) {
	each(t, built(), func(t *testing.T, w *world) {
		nonces := map[string]bool{}
		for _, path := range []string{"/", "/index.html", "/twins", "/twins/pump-7", "/twins/pump.7?range=1h", "/a%2Fb", "/" + strings.Repeat("x", 8000)} {
			a := w.open("/function/console"+path, "Accept-Encoding", "br")
			if a.StatusCode != 200 || a.Header.Get("Content-Type") != "text/html; charset=utf-8" || a.Header.Get("Cache-Control") != "no-cache" {
				t.Fatalf("%.40s: %d %v", path, a.StatusCode, a.Header)
			}
			m := regexp.MustCompile(`content="([A-Z2-7]{26})"`).FindSubmatch(a.body)
			if m == nil || !strings.Contains(a.Header.Get("Content-Security-Policy"), "style-src 'self' 'nonce-"+string(m[1])+"';") {
				t.Fatalf("%.40s: %s with %s", path, a.body, a.Header.Get("Content-Security-Policy"))
			}
			nonces[string(m[1])] = true
		}
		if len(nonces) != 7 {
			t.Errorf("%d different nonces in 7 answers", len(nonces))
		}
		a := w.call("GET", "/function/console/castor.svg", "")
		if string(a.body) != "<svg/>" || a.Header.Get("Content-Type") != "image/svg+xml" || a.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("what lies beside the page: %s %v", a.body, a.Header)
		}
		if a := w.call("POST", "/function/console/twins", "{}"); a.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("POST: %d", a.StatusCode)
		}
		// A cookie that does not count keeps nobody from the page on which to sign in.
		if a := w.call("GET", "/function/console/", "", "Cookie", "castor-token=rubbish"); a.StatusCode != 200 {
			t.Errorf("with a bad cookie: %d", a.StatusCode)
		}
	})
}

func TestPageKeepsToItself(t *testing.T) {
	for name, ui := range map[string]fstest.MapFS{"built": built(), "not built": {}} {
		t.Run(name, func(t *testing.T) {
			each(t, ui, func(t *testing.T, w *world) {
				h := w.call("GET", "/function/console/", "").Header
				for header, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
					"Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff"} {
					if got := h.Get(header); got != want {
						t.Errorf("%s: %q, want %q", header, got, want)
					}
				}
				policy := h.Get("Content-Security-Policy")
				for _, want := range []string{"default-src 'none'", "script-src 'self';", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
					if !strings.Contains(policy, want) {
						t.Errorf("%s is not in %s", want, policy)
					}
				}
				if strings.Contains(policy, "unsafe") || !strings.Contains(h.Get("Permissions-Policy"), "camera=(self)") || h.Get("Strict-Transport-Security") != "" {
					t.Errorf("%v", h)
				}
				// Past the gateway, as a gateway that ends TLS tells it.
				if h := w.callAt(w.URL, "GET", "/function/console/", "", "X-Forwarded-Proto", "https").Header; h.Get("Strict-Transport-Security") == "" {
					t.Error("by HTTPS nothing says that it stays so")
				}
				if h := w.callAt(w.URL, "GET", "/function/console/", "", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "localhost:8443").Header; h.Get("Strict-Transport-Security") != "" {
					t.Error("other servers on localhost must be HTTPS too")
				}
			})
		})
	}
}

// On a bare clone there is nothing to show but how to get it.
func TestNotBuilt(t *testing.T) {
	each(t, fstest.MapFS{}, func(t *testing.T, w *world) {
		for _, path := range []string{"/", "/twins/pump-7"} {
			a := w.open("/function/console" + path)
			if a.StatusCode != 404 || a.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(string(a.body), "make console") {
				t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
			}
		}
		if a := w.call("GET", "/function/console/assets/index-1a2b.js", ""); a.StatusCode != 404 {
			t.Errorf("an asset: %d", a.StatusCode)
		}
	})
}
