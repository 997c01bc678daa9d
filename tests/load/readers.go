package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// onlookers makes n people who may see everything, and returns their access tokens.
func (c *castor) onlookers(ctx context.Context, n int) ([]string, error) {
	tokens := make([]string, n)
	anyone := &api.Client{URL: c.url}
	for i := range tokens {
		name, password := fmt.Sprintf("onlooker-%02d", i), fmt.Sprintf("a-long-one-for-onlooker-%02d", i)
		if _, err := c.admin.CreateUser(ctx, api.NewUser{User: api.User{ID: name, Roles: []access.Role{access.Maintainer}}, Password: password}); err != nil {
			return nil, err
		}
		t, err := anyone.Login(ctx, api.Login{Name: name, Password: password})
		if err != nil {
			return nil, err
		}
		tokens[i] = t.Access
	}
	return tokens, nil
}

// An audience is connections that are open at the same time.
type audience struct {
	open []io.Closer
	gone func()
	all  sync.WaitGroup
}

// gather opens n streams, the i-th with the token i modulo their number. What comes is read, and looked at by nobody.
func (c *castor) gather(ctx context.Context, tokens []string, n int) (*audience, error) {
	a := &audience{}
	ctx, a.gone = context.WithCancel(ctx)
	client := &http.Client{Transport: &http.Transport{}}
	for i := range n {
		body, err := c.stream(ctx, client, tokens[i%len(tokens)])
		if err != nil {
			a.leave()
			return nil, fmt.Errorf("stream %d of %d: %w", i+1, n, err)
		}
		a.all.Go(func() {
			defer body.Close()
			_, _ = io.Copy(io.Discard, body)
		})
	}
	return a, nil
}

func (a *audience) leave() {
	a.gone()
	for _, c := range a.open {
		_ = c.Close()
	}
	a.all.Wait()
}

// stream opens one stream of all that there is.
func (c *castor) stream(ctx context.Context, client *http.Client, token string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/stream", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return nil, fmt.Errorf("%s: %s", resp.Status, said)
	}
	return resp.Body, nil
}

// A sighting is that a value was there for whoever looks, and when.
type sighting struct {
	Value int   `json:"value"`
	At    int64 `json:"at"` // microseconds since 1970
}

// watch reads a stream as the page does, and notes each value of rpm of a twin until the last one has come.
func (c *castor) watch(ctx context.Context, token string, id twin.ID, last int) (wait func() ([]sighting, error), err error) {
	body, err := c.stream(ctx, &http.Client{Transport: &http.Transport{}}, token)
	if err != nil {
		return nil, err
	}
	var all []sighting
	done := make(chan error, 1)
	go func() {
		defer body.Close()
		lines := bufio.NewScanner(body)
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
			if !ok || !bytes.Contains(data, []byte(id)) {
				continue
			}
			now := time.Now().UnixMicro()
			var f struct {
				Twins []api.LiveState `json:"twins"`
			}
			if err := json.Unmarshal(data, &f); err != nil {
				done <- err
				return
			}
			for _, t := range f.Twins {
				for _, r := range t.Reported {
					if v, ok := r.Value.(float64); ok && t.Twin == id && r.Property == "rpm" {
						all = append(all, sighting{int(v), now})
						if int(v) >= last {
							done <- nil
							return
						}
					}
				}
			}
		}
		done <- fmt.Errorf("it ended before value %d: %w", last, errors.Join(lines.Err(), ctx.Err()))
	}()
	return func() ([]sighting, error) { err := <-done; return all, err }, nil
}

// delays are how long after it was published each value from first on, or a newer one, was there. It fails when the last one never was.
func delays(first int, published []time.Time, seen []sighting) ([]time.Duration, error) {
	took := make([]time.Duration, 0, len(published))
	next := 0
	for _, s := range seen {
		for ; next <= s.Value-first && next < len(published); next++ {
			took = append(took, time.Duration(s.At-published[next].UnixMicro())*time.Microsecond)
		}
	}
	if len(took) < len(published) {
		return nil, fmt.Errorf("%d of %d values were seen", len(took), len(published))
	}
	return took, nil
}

// settled is the platform's resident memory after its garbage was collected.
func (c *castor) settled(ctx context.Context) (float64, error) {
	if err := c.fetch(ctx, "/debug/pprof/heap?gc=1", os.DevNull); err != nil {
		return 0, err
	}
	return resident(c)
}

// held is what the platform's heap and stacks hold after garbage was collected: unlike resident memory it has no pages in it that
// were needed before and not given back.
func (c *castor) held(ctx context.Context) (sum float64, err error) {
	file := filepath.Join(c.dir, "heap")
	if err := c.fetch(ctx, "/debug/pprof/heap?gc=1&debug=1", file); err != nil {
		return 0, err
	}
	said, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(said)) {
		var bytes float64
		for _, form := range []string{"# HeapAlloc = %f", "# Stack = %f"} {
			if _, err := fmt.Sscanf(line, form, &bytes); err == nil {
				sum += bytes
			}
		}
	}
	return sum, nil
}

// idle opens n connections, on each of which one call was answered: what a browser has open that looks at nothing.
func (c *castor) idle(ctx context.Context, n int) (*audience, error) {
	a := &audience{gone: func() {}}
	address := strings.TrimPrefix(c.url, "http://")
	for range n {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			a.leave()
			return nil, err
		}
		a.open = append(a.open, conn)
		if _, err = fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", address); err == nil {
			_, err = conn.Read(make([]byte, 4096))
		}
		if err != nil {
			a.leave()
			return nil, err
		}
	}
	return a, nil
}
