package drivers_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/twin"
)

// A group's drivers are its own; the platform's are everybody's to read and to use, and maintainers' to change.
func TestWhoMay(t *testing.T) {
	w := newWorld(t)
	v := w.publish(w.press, script("acme-th1", "1.0.0", 0))
	w.publish(w.admin, script("common", "1.0.0", 3))
	owner := w.checked(w.User("otto", []access.Role{access.Owner}, "press"))
	if _, err := owner.GetDriverVersion(bg, "acme-th1", "1.0.0"); err != nil {
		t.Errorf("a member of the group: %v", err)
	}
	if _, err := owner.PromoteDriver(bg, "acme-th1", "1.0.0"); !errors.Is(err, access.ErrDenied) {
		t.Errorf("an owner changes a driver: %v", err)
	}
	for what, err := range map[string]error{
		"get":     second(w.paint.GetDriver(bg, "acme-th1")),
		"version": second(w.paint.GetDriverVersion(bg, "acme-th1", "1.0.0")),
		"code":    second(w.paint.DriverCode(bg, v.Digest)),
		"promote": second(w.paint.PromoteDriver(bg, "acme-th1", "1.0.0")),
		"run":     second(w.paint.RunDriver(bg, api.RunDriver{Name: "acme-th1"})),
		"delete":  w.paint.DeleteDriverVersion(bg, "acme-th1", "1.0.0"),
	} {
		if !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%s by another group: %v", what, err)
		}
	}
	if _, err := w.paint.PublishDriver(bg, script("acme-th1", "2.0.0", 0)); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "take another name") {
		t.Errorf("a name that is taken: %v", err)
	}
	if _, err := w.paint.GetDriver(bg, "common"); err != nil {
		t.Errorf("the platform's: %v", err)
	}
	if _, err := w.paint.PromoteDriver(bg, "common", "1.0.0"); !errors.Is(err, access.ErrDenied) || !strings.Contains(err.Error(), "is the platform's") {
		t.Errorf("the platform's changed: %v", err)
	}
	names := func(c *api.Client) (all string) {
		t.Helper()
		page, err := c.ListDrivers(bg, "")
		w.must(err)
		for _, d := range page.Items {
			if !strings.HasPrefix(d.Versions[0].By, "castor") {
				all += d.Name + " "
			}
		}
		return all
	}
	if a, b, c := names(w.press), names(w.paint), names(w.admin); a != "acme-th1 common " || b != "common " || c != "acme-th1 common " {
		t.Errorf("lists: %s, %s, %s", a, b, c)
	}
	// A type of another group does not get to use it by naming it.
	w.promote(w.press, "acme-th1", "1.0.0")
	w.typeOf("theirs", "paint", twin.Model{Driver: "acme-th1"})
	w.devices("theirs", nil, "p-1")
	if u := w.used("p-1"); !strings.Contains(u.Parked, "belongs to another group than the twin's type") || u.Digest != "" {
		t.Errorf("%+v", u)
	}
}

func second[T any](_ T, err error) error { return err }

// Lists are pages by name, whatever the lists are that a caller's drivers are in.
func TestPages(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"a1", "c1", "e1"} {
		w.publish(w.press, script(name, "1.0.0", 0))
	}
	w.publish(w.admin, script("b1", "1.0.0", 0))
	w.publish(w.admin, script("d1", "1.0.0", 0))
	var got []string
	for cursor, n := "", 0; n == 0 || cursor != ""; n++ {
		var page api.Page[api.Driver]
		w.must(w.press.Call(bg, "GET", "drivers", "/drivers?limit=2&cursor="+cursor, nil, &page))
		for _, d := range page.Items {
			if len(d.Name) == 2 {
				got = append(got, d.Name)
			}
		}
		cursor = page.Next
	}
	if s := strings.Join(got, " "); s != "a1 b1 c1 d1 e1" {
		t.Errorf("pages: %s", s)
	}
}

// Once a version was signed, all others must be, by the same key.
func TestSignatures(t *testing.T) {
	w := newWorld(t)
	public, private, err := ed25519.GenerateKey(nil)
	w.must(err)
	_, other, err := ed25519.GenerateKey(nil)
	w.must(err)
	signed := func(version string, with ed25519.PrivateKey) api.PublishDriver {
		t.Helper()
		in := script("acme-th1", version, 0)
		digest, err := driver.Digest(&in.Driver)
		w.must(err)
		in.Key = base64.StdEncoding.EncodeToString(with.Public().(ed25519.PublicKey))
		in.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(with, digest))
		return in
	}
	w.publish(w.press, script("acme-th1", "0.9.0", 0))
	if v := w.publish(w.press, signed("1.0.0", private)); !v.Signed {
		t.Errorf("%+v", v)
	}
	if d, err := w.press.GetDriver(bg, "acme-th1"); err != nil || d.Key != base64.StdEncoding.EncodeToString(public) {
		t.Errorf("%+v, %v", d, err)
	}
	tampered := signed("1.1.0", private)
	tampered.Code = append(tampered.Code, '\n')
	short := signed("1.1.0", private)
	short.Key = "AAAA"
	broken := signed("1.0.1", private) // as some tools break lines
	broken.Key = broken.Key[:10] + "\n" + broken.Key[10:]
	w.publish(w.press, broken)
	w.publish(w.press, signed("1.0.2", private))
	said := signed("1.1.0", private)
	said.Maker = "somebody else"
	patient := signed("1.1.0", private)
	patient.Limit = time.Second
	// The neutral point: the signature is good for whatever is said.
	small := script("acme-th2", "1.0.0", 0)
	small.Key = base64.StdEncoding.EncodeToString(append([]byte{1}, make([]byte, 31)...))
	small.Signature = base64.StdEncoding.EncodeToString(append([]byte{1}, make([]byte, 63)...))
	for what, tt := range map[string]struct {
		in   api.PublishDriver
		says string
	}{
		"other words": {said, "signature is not this key's over this driver"},
		"more time":   {patient, "signature is not this key's over this driver"},
		"small order": {small, "key is of small order"},
		"not signed":  {script("acme-th1", "1.1.0", 0), "signature is missing"},
		"another key": {signed("1.1.0", other), "key is not the one"},
		"tampered":    {tampered, "signature is not this key's over this driver"},
		"no key":      {short, "key must be the maker's Ed25519 public key"},
	} {
		if _, err := w.press.PublishDriver(bg, tt.in); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %s", what, err, tt.says)
		}
	}
}
