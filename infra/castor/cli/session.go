package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/pause"
)

// errOver tells that the session cannot be renewed any more.
var errOver = errors.New("the session is over")

// A session is one sign-in at one platform. Without tokens it only keeps where the platform is.
type session struct {
	URL     string    `json:"url"`
	CA      string    `json:"ca,omitempty"` // PEM
	User    string    `json:"user"`
	Access  string    `json:"access"`
	Expires time.Time `json:"expires"`
	Refresh string    `json:"refresh"`
}

// sessions is the file they are kept in: readable by its owner only, because what is in it signs in.
type sessions struct {
	Current  string              `json:"current"` // URL
	Sessions map[string]*session `json:"sessions"`
}

func (a *app) file() (string, error) {
	dir, err := a.dir()
	return filepath.Join(dir, "sessions.json"), err
}

func (a *app) load() (*sessions, error) {
	s := &sessions{Sessions: map[string]*session{}}
	name, err := a.file()
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("the sessions in %s cannot be read (%w); delete the file and run: castor login", name, err)
	}
	if s.Sessions == nil {
		s.Sessions = map[string]*session{}
	}
	return s, nil
}

// save replaces the file in one step, so that an interrupted one leaves the old.
func (a *app) save(s *sessions) error {
	name, err := a.file()
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".sessions-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// change alters the file while no other castor does. A lock that is older than any change takes is left over.
func (a *app) change(ctx context.Context, do func(*sessions) error) error {
	name, err := a.file()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	const stale = 30 * time.Second
	lock := name + ".lock"
	for {
		f, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			f.Close()
			break
		}
		if !errors.Is(err, os.ErrExist) {
			return err
		}
		if i, err := os.Stat(lock); err == nil && time.Since(i.ModTime()) > stale {
			os.Remove(lock)
			continue
		}
		if !pause.For(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
	defer os.Remove(lock)
	s, err := a.load()
	if err != nil {
		return err
	}
	if err := do(s); err != nil {
		return err
	}
	return a.save(s)
}

// client is a client of the platform that the flags or the last sign-in name. Calls carry the session's token, which is
// renewed when it is about to end.
func (a *app) client() (*api.Client, error) {
	all, err := a.load()
	if err != nil {
		return nil, err
	}
	if a.url == "" {
		a.url = all.Current
	}
	if a.url == "" {
		a.url = defaultURL
	}
	if a.url, err = checkURL(a.url); err != nil {
		return nil, err
	}
	s := all.Sessions[a.url]
	pem := ""
	if s != nil {
		pem = s.CA
	}
	h, err := a.http(pem)
	if err != nil {
		return nil, err
	}
	c := &api.Client{URL: a.url, HTTP: h}
	if s != nil && s.Refresh != "" {
		c.Authorize = func(ctx context.Context, _ string) (string, error) {
			if a.now().After(s.Expires.Add(-30 * time.Second)) {
				if err := a.renew(ctx, s); err != nil {
					return "", err
				}
			}
			return "Bearer " + s.Access, nil
		}
	}
	return c, nil
}

// checkURL is a gateway's URL in the form by which its session is found. Without a scheme it is http.
func checkURL(s string) (string, error) {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("--url %q must be like %s or https://castor.example", s, defaultURL)
	}
	return strings.TrimRight(s, "/"), nil
}

// renew exchanges the refresh token, which is good once only: another castor may have done so a moment ago.
func (a *app) renew(ctx context.Context, s *session) error {
	return a.change(ctx, func(all *sessions) error {
		if now := all.Sessions[s.URL]; now != nil {
			*s = *now
		}
		if a.now().Before(s.Expires.Add(-30 * time.Second)) {
			return nil
		}
		if s.Refresh == "" { // signed out meanwhile
			return access.ErrUnauthenticated
		}
		h, err := a.http(s.CA)
		if err != nil {
			return err
		}
		t, err := (&api.Client{URL: s.URL, HTTP: h}).Refresh(ctx, s.Refresh)
		if errors.Is(err, access.ErrUnauthenticated) {
			return errOver
		}
		if err != nil {
			return err
		}
		s.Access, s.Expires, s.Refresh = t.Access, t.Expires, t.Refresh
		all.Sessions[s.URL] = s
		return nil
	})
}

// http trusts the system's CAs and the one given, by --ca or else as PEM.
func (a *app) http(pem string) (*http.Client, error) {
	pem, err := a.authority(pem)
	if err != nil || pem == "" {
		return &http.Client{Timeout: 5 * time.Minute}, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		return nil, errors.New("--ca: there is no certificate in the file; it must be PEM")
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return &http.Client{Timeout: 5 * time.Minute, Transport: t}, nil
}

// authority is the certificate in the file that --ca names, or pem if it names none.
func (a *app) authority(pem string) (string, error) {
	if a.ca == "" {
		return pem, nil
	}
	b, err := os.ReadFile(a.ca)
	if err != nil {
		return "", fmt.Errorf("--ca: %w", err)
	}
	return string(b), nil
}
