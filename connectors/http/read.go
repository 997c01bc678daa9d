package http

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
)

// A call is a request, read as far as it goes without asking anybody.
type call struct {
	op   operation
	word string // what its path names: an app, a command, a type

	// What the device shows; certificate and address are the connection's.
	user, secret string

	wait     time.Duration
	commands bool
	client   string
	key      string // that a pending answer came with
	event    string // that a webhook tells of
}

// read reads a request's line and headers. It is strict: what a device does not mean to say is better refused than guessed.
func read(r *http.Request, phase gateway.Phase, longest time.Duration) (call, *problem) {
	var c call
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		return c, refuse(http.StatusForbidden, "Origin", "this gateway is for devices", "leave the header Origin out; people use the platform's console")
	}
	if r.URL.RawPath != "" || r.URL.Host != "" && r.Method == http.MethodConnect {
		return c, notFound()
	}
	op, word, p := find(r.Method, r.URL.Path, phase)
	if p != nil {
		return c, p
	}
	c.op, c.word = op, word
	if p := c.readQuery(r.URL.RawQuery, longest); p != nil {
		return c, p
	}
	if p := c.readCredential(r.Header); p != nil {
		return c, p
	}
	return c, readBodyHeaders(r, op)
}

func notFound() *problem {
	p := refuse(http.StatusNotFound, "path", "there is no such address at this gateway", "GET /v1/openapi.yaml lists all; a gateway for new devices and one for operational devices have different ones")
	p.close = true
	return p
}

// wordPattern is what a path or client may name: it becomes part of a topic.
var wordPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// typePattern is what the id of a type may be.
var typePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func (c *call) readQuery(raw string, longest time.Duration) *problem {
	if raw == "" {
		return nil
	}
	if len(raw) > 512 {
		return bad("query", "the query is too long", "ask for what openapi.yaml has")
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return bad("query", "the query cannot be read", "write it like ?wait=30")
	}
	for name, v := range values {
		if !slices.Contains(c.op.query, name) {
			remedy := "leave it out; there are none"
			if len(c.op.query) > 0 {
				remedy = "leave it out; there are: " + strings.Join(c.op.query, ", ")
			}
			return bad("query", fmt.Sprintf("there is no parameter %.40q here", name), remedy)
		}
		if len(v) != 1 {
			return bad(name, "it is given more than once", "give it once")
		}
		switch name {
		case "wait":
			n, err := strconv.ParseUint(strings.TrimSuffix(v[0], "s"), 10, 8)
			if err != nil || len(v[0]) > 3 || time.Duration(n)*time.Second > longest {
				return bad(name, "it is no number of seconds that a call may wait", fmt.Sprintf("give 0 to %d", int(longest.Seconds())))
			}
			c.wait = time.Duration(n) * time.Second
		case "commands":
			if v[0] != "0" && v[0] != "1" {
				return bad(name, "it is neither 0 nor 1", "give 1 to have commands in the answer")
			}
			c.commands = v[0] == "1"
		case "event":
			if !wordPattern.MatchString(v[0]) {
				return bad(name, "it is no event", "leave the parameter to the network server")
			}
			c.event = v[0]
		case "client":
			if !wordPattern.MatchString(v[0]) {
				return bad(name, "it is no name", "give 1 to 64 letters, digits, '-' or '_'")
			}
			c.client = v[0]
		case "key":
			if !wordPattern.MatchString(v[0]) {
				return bad(name, "it is no key", "take it from the address in the answer's Location")
			}
			c.key = v[0]
		}
	}
	return nil
}

// readCredential takes the one secret that the headers show, if any.
func (c *call) readCredential(h http.Header) *problem {
	auth, key := h.Values("Authorization"), h.Values("X-Api-Key")
	switch {
	case len(auth)+len(key) == 0:
		return nil
	case len(auth)+len(key) > 1:
		return unauthorized("more than one credential is shown", "show one")
	case len(key) == 1:
		c.secret = strings.TrimSpace(key[0])
		if c.secret == "" {
			return unauthorized("X-API-Key is empty", "give the key as it was issued")
		}
		return nil
	}
	scheme, rest, _ := strings.Cut(auth[0], " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToLower(scheme) {
	case "bearer":
		if rest == "" {
			return unauthorized("the token is empty", "write Authorization: Bearer and the token as it was issued")
		}
		c.secret = rest
		return nil
	case "basic":
		text, err := base64.StdEncoding.DecodeString(rest)
		user, secret, ok := strings.Cut(string(text), ":")
		if err != nil || !ok || user == "" || secret == "" {
			return unauthorized("user name and password cannot be read", "write Authorization: Basic and user:password in base64")
		}
		c.user, c.secret = user, secret
		return nil
	}
	return unauthorized("the scheme of Authorization is not known", "use Bearer or Basic")
}

func unauthorized(detail, remedy string) *problem {
	p := refuse(http.StatusUnauthorized, "Authorization", detail, remedy)
	p.close = true
	return p
}

// readBodyHeaders looks at what is said of the body, before any of it is read.
func readBodyHeaders(r *http.Request, op operation) *problem {
	if len(op.media) == 0 {
		if r.ContentLength != 0 {
			p := bad("Content-Length", "the request has a body", "leave it out")
			p.close = true
			return p
		}
		return nil
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return unsupported("Content-Encoding", "the body is encoded", "send it as it is")
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if (err != nil || !slices.Contains(op.media, media)) && (r.ContentLength != 0 || !op.empty) {
		return unsupported("Content-Type", "it is not one that is taken here", "send "+strings.Join(op.media, " or "))
	}
	return nil
}

func unsupported(field, detail, remedy string) *problem {
	p := refuse(http.StatusUnsupportedMediaType, field, detail, remedy)
	p.close = true
	return p
}

// What is read and thrown away of a body that is too large before it is answered: a connection that is ended with much unread on it is reset,
// and the answer is lost with it. Who sends nothing waits for the answer.
const (
	drain     = 16 << 20
	drainTime = 10 * time.Second
	drainIdle = 500 * time.Millisecond
)

// discard reads what comes of a body, as long as it comes.
func discard(control *http.ResponseController, body io.Reader) {
	end, buffer := time.Now().Add(drainTime), make([]byte, 32<<10)
	for left := drain; left > 0 && time.Now().Before(end); {
		if control.SetReadDeadline(time.Now().Add(drainIdle)) != nil {
			return
		}
		n, err := body.Read(buffer)
		if err != nil {
			return
		}
		left -= n
	}
}

// body reads all of a request's body, in bounded time and of bounded size.
func (l Limits) body(w http.ResponseWriter, r *http.Request) ([]byte, *problem) {
	control := http.NewResponseController(w)
	tooLarge := func() *problem {
		p := refuse(http.StatusRequestEntityTooLarge, "body", fmt.Sprintf("it has more than %d bytes", l.Body), "send less at a time")
		p.close = true
		if r.ProtoMajor == 1 && r.ContentLength <= drain && r.Header.Get("Expect") == "" {
			discard(control, r.Body)
		}
		return p
	}
	if r.ContentLength > int64(l.Body) {
		return nil, tooLarge()
	}
	if r.ContentLength < 0 && r.ProtoMajor == 1 {
		// Of unknown length. Whoever is between may see its end elsewhere, so nothing after it counts.
		w.Header().Set("Connection", "close")
	}
	if err := control.SetReadDeadline(time.Now().Add(l.BodyTime)); err != nil {
		return nil, later(http.StatusServiceUnavailable, 1, "the connection has ended")
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(l.Body)))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, tooLarge()
	case err != nil:
		p := later(http.StatusRequestTimeout, 1, "the body did not come as the headers said, or too slowly")
		p.close = true
		return nil, p
	}
	if err := control.SetReadDeadline(time.Time{}); err != nil { // a poll's connection may be silent
		return nil, later(http.StatusServiceUnavailable, 1, "the connection has ended")
	}
	return b, nil
}
