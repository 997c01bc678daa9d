package console

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/castor-iot/castor/shared/faas"
)

const index = "index.html"

// noncePlace is what index.html has where the nonce of an answer belongs, in <meta property="csp-nonce">: libraries that make
// style elements take it from there.
const noncePlace = "__CSP_NONCE__"

// missing is the whole page where no interface was built.
const missing = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Castor</title>
<p>The console was not built into this program: install Node.js 20 or newer and run <code>make console</code>, then start again.</p>
</html>
`

// page answers with index.html, whatever the path: the interface's router reads it. Files beside index.html are answered as they are.
func (all files) page(_ context.Context, c *faas.Call, _ faas.None) (faas.Reply, error) {
	name := c.Var("page")
	if f := all[name]; f != nil && name != index {
		return f.reply(c.Header, "no-cache"), nil
	}
	f := all[index]
	if f == nil {
		r := html(c.Header, []byte(missing), rand.Text())
		r.Status = http.StatusNotFound // of this program; nothing that trying again would mend
		return r, nil
	}
	nonce := rand.Text()
	return html(c.Header, bytes.ReplaceAll(f.forms[len(f.forms)-1].body, []byte(noncePlace), []byte(nonce)), nonce), nil
}

// html is a page with the headers that keep it to itself: it runs our scripts only, talks to this origin only, and is shown in no
// other page's frame.
func html(h http.Header, body []byte, nonce string) faas.Reply {
	r := faas.Bytes(kinds[".html"], body)
	for name, value := range map[string]string{
		"Cache-Control":                "no-cache", // the nonce is good once; the assets are what is large
		"Content-Security-Policy":      policy(nonce),
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           unused,
		"Referrer-Policy":              "no-referrer",
		"X-Frame-Options":              "DENY",
	} {
		r.Header.Set(name, value)
	}
	if secure(h) && !localhost(h) {
		r.Header.Set("Strict-Transport-Security", "max-age=31536000")
	}
	return r
}

func policy(nonce string) string {
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self' 'nonce-" + nonce + "'",
		"img-src 'self' data: blob:",
		"font-src 'self'",
		"connect-src 'self'",
		"manifest-src 'self'",
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
	}, "; ")
}

// unused denies what the interface has no use for, all but the camera, which scans serials; browsers complain of names they do not
// know, so only old ones are here.
const unused = "accelerometer=(), camera=(self), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()"

// secure tells whether the person's call came by HTTPS, as the user gateway says.
func secure(h http.Header) bool { return h.Get("X-Forwarded-Proto") == "https" }

// localhost tells whether the person's browser is on this machine: what it remembers of that name counts for all other servers here.
func localhost(h http.Header) bool {
	name, _, _ := strings.Cut(h.Get("X-Forwarded-Host"), ":")
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}
