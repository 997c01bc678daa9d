package console

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
)

// files are what was built, by name: "assets/index-3fb1c2.js". A call's path is looked up among them and never becomes the name of
// anything else, so no path leads out of them.
type files map[string]*file

// A file is one asset, as it is and compressed where that was done when it was built.
type file struct {
	kind  string
	forms []form // the one that is preferred first; the plain one last
}

// A form is a file in one encoding.
type form struct {
	encoding string // "br", "gzip"; "" = none
	tag      string // strong ETag: of these bytes and no others
	body     []byte
}

// encodings are the endings that the build gives compressed forms.
var encodings = []struct{ ending, name string }{{".br", "br"}, {".gz", "gzip"}}

// kinds are the types of files that there may be. Not the machine's table, which differs from one to the next.
var kinds = map[string]string{
	".css":         "text/css; charset=utf-8",
	".html":        "text/html; charset=utf-8",
	".ico":         "image/x-icon",
	".js":          "text/javascript; charset=utf-8",
	".json":        "application/json",
	".map":         "application/json",
	".png":         "image/png",
	".svg":         "image/svg+xml",
	".txt":         "text/plain; charset=utf-8",
	".webmanifest": "application/manifest+json",
	".webp":        "image/webp",
	".woff2":       "font/woff2",
}

// readFiles reads all of ui. A folder that is not there is empty.
func readFiles(ui fs.FS) files {
	all := files{}
	_ = fs.WalkDir(ui, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		f := &file{kind: kinds[path.Ext(name)]}
		if f.kind == "" {
			return nil // its compressed forms, and what nobody asks for
		}
		for _, e := range encodings {
			f.add(ui, name+e.ending, e.name)
		}
		f.add(ui, name, "")
		all[name] = f
		return nil
	})
	return all
}

func (f *file) add(ui fs.FS, name, encoding string) {
	if body, err := fs.ReadFile(ui, name); err == nil {
		sum := sha256.Sum256(body)
		f.forms = append(f.forms, form{encoding, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, body})
	}
}

// asset answers with a file below assets/. Its name has a hash of its content, so it may be kept for ever.
func (all files) asset(_ context.Context, c *faas.Call, _ faas.None) (faas.Reply, error) {
	f := all["assets/"+c.Var("name")]
	if f == nil {
		return faas.Reply{}, platform.NotFound("asset", c.Var("name"))
	}
	return f.reply(c.Header, "public, max-age=31536000, immutable"), nil
}

// reply is the file in the form that the caller takes, or 304 if the caller has that.
func (f *file) reply(h http.Header, keep string) faas.Reply {
	chosen := f.forms[len(f.forms)-1]
	for _, form := range f.forms {
		if form.encoding != "" && accepts(h, form.encoding) {
			chosen = form
			break
		}
	}
	r := faas.Bytes(f.kind, chosen.body)
	r.Header.Set("Cache-Control", keep)
	r.Header.Set("Cross-Origin-Resource-Policy", "same-origin")
	r.Header.Set("Etag", chosen.tag)
	if len(f.forms) > 1 {
		r.Header.Set("Vary", "Accept-Encoding")
	}
	if chosen.encoding != "" {
		r.Header.Set("Content-Encoding", chosen.encoding)
	}
	if has(h, chosen.tag) {
		r.Status, r.Body = http.StatusNotModified, nil
		r.Header.Del("Content-Type")
		r.Header.Del("Content-Encoding")
	}
	return r
}

// has tells whether If-None-Match names the tag.
func has(h http.Header, tag string) bool {
	for t := range strings.SplitSeq(strings.Join(h.Values("If-None-Match"), ","), ",") {
		if t = strings.TrimPrefix(strings.TrimSpace(t), "W/"); t == tag || t == "*" {
			return true
		}
	}
	return false
}

// accepts tells whether Accept-Encoding takes an encoding (RFC 9110 section 12.5.3); what names it goes above "*".
func accepts(h http.Header, encoding string) bool {
	all := false
	for part := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(part, ";")
		taken := true
		if q, ok := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(weight), " ", ""), "q="); ok {
			v, err := strconv.ParseFloat(q, 64)
			taken = err == nil && v > 0
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case encoding:
			return taken
		case "*":
			all = taken
		}
	}
	return all
}
