package cluster

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/castor-iot/castor/shared/access"
)

// A chaos is on the way from the user gateway to the functions. Now and then it makes a call twice, or kills the replica that
// has just done one:
//
//	a part of the platform hears nothing (502) or the second answer: its calls must all bear that
//	a person hears the first answer: what came of a call is known to them
//
// What happens to the n-th call of a function follows from the seed.
type chaos struct {
	cluster *Cluster
	next    http.RoundTripper

	mu    sync.Mutex
	calls map[string]uint64 // function → calls so far

	repeated, killed atomic.Uint64
}

const (
	repeatOne = 25  // of so many calls one is made twice
	killOne   = 150 // of so many calls one is the replica's last
)

func (c *chaos) RoundTrip(r *http.Request) (*http.Response, error) {
	replica := c.cluster.byHost[r.URL.Host]
	if do := c.cluster.watch.Load(); replica != nil && do != nil {
		return c.watched(r, replica, *do)
	}
	if replica == nil || c.cluster.config.Calm || c.cluster.calm.Load() {
		return c.next.RoundTrip(r)
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body.Close()
	}
	person := !byPart(r)
	if person {
		replica = c.cluster.forPerson(replica)
		defer replica.people.Add(-1)
	}
	again := func(to *Replica) (*http.Response, error) {
		r := r.Clone(r.Context())
		r.URL.Host = to.Host
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return whole(c.next.RoundTrip(r))
	}
	dice := c.dice(replica.Function)
	switch first, err := again(replica); {
	case err != nil:
		return nil, err
	case dice%repeatOne == 1 && (!person || r.Method != http.MethodPost):
		c.repeated.Add(1)
		second, err := again(c.cluster.anyOf(replica.Function, dice))
		if person || err != nil {
			return first, nil
		}
		return second, nil
	case dice%killOne == 0 && c.cluster.spares(replica) && replica.crash(person):
		c.killed.Add(1)
		if person {
			return first, nil
		}
		return nil, errGone
	default:
		return first, nil
	}
}

// dice is a number for the next call of function.
func (c *chaos) dice(function string) uint64 {
	c.mu.Lock()
	c.calls[function]++
	n := c.calls[function]
	c.mu.Unlock()
	h := fnv.New64a()
	h.Write([]byte(function))
	return rand.New(rand.NewPCG(c.cluster.config.Seed^h.Sum64(), n)).Uint64()
}

// whole reads an answer to its end, so that the call is over when it is returned.
func whole(resp *http.Response, err error) (*http.Response, error) {
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// byPart tells whether a part of the platform calls: by its token, or without one where only parts call so.
func byPart(r *http.Request) bool {
	if r.Header.Get("Authorization") == "" {
		return strings.HasSuffix(r.URL.Path, "/token") || strings.HasSuffix(r.URL.Path, "/keys")
	}
	return partOf(r) != ""
}

// partOf is the part of the platform whose token a call shows; "" if it is nobody's or a person's.
func partOf(r *http.Request) string {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	words := strings.Split(token, ".")
	if len(words) != 3 {
		return ""
	}
	b, err := base64.RawURLEncoding.DecodeString(words[1])
	var claims struct {
		Kind    string `json:"knd"`
		Subject string `json:"sub"`
	}
	if err != nil || json.Unmarshal(b, &claims) != nil || access.CallerKind(claims.Kind) != access.Part {
		return ""
	}
	return claims.Subject
}
