package directory

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

// How long an advertisement is good, in seconds.
const (
	defaultTTL = 60
	maxTTL     = 3600
)

// register puts an advertisement in, or renews it.
func (d *directory) register(ctx context.Context, c *faas.Call, in api.Advertisement) (api.Advertisement, error) {
	id := c.Var("id")
	if in.ID != "" && in.ID != id {
		return in, api.Invalid("id %.80q is not the one of the path, %.80q", in.ID, id)
	}
	in.ID = id
	if err := check(&in); err != nil {
		return in, err
	}
	if err := d.may(ctx, c.Caller, &in); err != nil {
		return in, err
	}
	v := said{By: speaker(c.Caller)}
	if in.Kind == strangerKind {
		var err error
		if v.Sealed, err = d.p.Seal(sealOf(in.ID), []byte(in.Secret)); err != nil {
			return in, err
		}
	}
	in.Secret = ""
	in.Updated = d.p.Time()
	in.Expires = in.Updated.Add(time.Duration(in.TTL) * time.Second)
	if err := d.room(ctx, c.Caller, in); err != nil {
		return in, err
	}
	v.Advertisement = in
	return in, d.says.PutMany(ctx, []said{v})
}

// may tells whether the caller may put an advertisement in, or take it out.
func (d *directory) may(ctx context.Context, c access.Caller, a *api.Advertisement) error {
	if c.Kind == access.Service {
		return d.mayServe(ctx, c, a)
	}
	return mayAdvertise(c, *a)
}

// deregister takes an advertisement out; one that is not there is out already.
func (d *directory) deregister(ctx context.Context, c *faas.Call, _ faas.None) (faas.None, error) {
	v, err := d.says.Get(ctx, c.Var("id"))
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return faas.None{}, nil
	}
	if err == nil {
		if v.Kind == strangerKind {
			v.Capabilities = nil // a service may be taken out also when it was denied what it can do
		}
		err = d.may(ctx, c.Caller, &v.Advertisement)
	}
	if err == nil {
		err = d.says.Delete(ctx, v.ID)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return faas.None{}, err
}

// mayAdvertise lets each part speak under its own name only, so that none can draw another one's calls to itself. events
// speaks for the functions, because the user gateway tells it which there are; twins speaks for the twins, a connector for
// its own gateway.
func mayAdvertise(c access.Caller, a api.Advertisement) error {
	ok := false
	switch {
	case c.Kind != access.Part, c.For != nil:
		// people advertise nothing
	case c.Gateway != "":
		ok = strings.HasSuffix(a.ID, ":"+c.Gateway) && (a.Kind == "connector" || a.Kind == "gateway")
	case c.ID == "events":
		ok = a.ID == "events" || a.Kind == "function" && a.ID == a.Name
	default:
		ok = (a.ID == c.ID || strings.HasPrefix(a.ID, c.ID+":")) && (a.Kind == "function" && a.Name == c.ID || a.Kind == "twin" && c.ID == "twins")
	}
	if !ok {
		return fmt.Errorf("%w: %s does not speak for %s %q", access.ErrDenied, c, a.Kind, a.ID)
	}
	return nil
}

// maxAlive bounds what one speaker has in the directory at a time. Calls that come at once may go a little beyond it. Parts that
// speak for others are as many as those.
const maxAlive = 100

var unbounded = []string{"events", "twins"}

// speaker is who an advertisement is by: a part, all connectors of a gateway, or a service account.
func speaker(c access.Caller) string {
	if c.Kind == access.Service {
		return c.String()
	}
	if c.Gateway != "" {
		return "gateway:" + c.Gateway
	}
	return c.ID
}

// room returns api.ErrTooMany if the speaker had more than its share with these.
func (d *directory) room(ctx context.Context, c access.Caller, in ...api.Advertisement) error {
	if c.Kind == access.Part && c.Gateway == "" && slices.Contains(unbounded, c.ID) {
		return nil
	}
	ids := make([]string, 0, len(in))
	for _, a := range in {
		ids = append(ids, a.ID)
	}
	slices.Sort(ids)
	n, ids := 0, slices.Compact(ids)
	if len(ids) <= maxAlive {
		alive := []store.Filter{store.Eq("by", speaker(c)), store.Gt("expires", d.p.Time())}
		all, err := d.says.Count(ctx, store.And(alive...), "by-speaker")
		if err != nil || all+len(ids) <= maxAlive {
			return err
		}
		renewed, err := d.says.Count(ctx, store.And(append(alive, store.In("_id", ids...))...), "by-speaker")
		if err != nil {
			return err
		}
		n = all - renewed
	}
	if n += len(ids); n > maxAlive {
		return fmt.Errorf("%w: %s would have %d advertisements, at most %d are taken; take some out, or wait until they end", api.ErrTooMany, speaker(c), n, maxAlive)
	}
	return nil
}

var (
	idPattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`)
	wordPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}$`)
)

// check validates an advertisement and fills in what may be left out.
func check(a *api.Advertisement) error {
	if !idPattern.MatchString(a.ID) {
		return api.Invalid("id %.80q must be 1 to 128 letters, digits, '.', '_', ':' or '-', beginning with a letter or digit", a.ID)
	}
	switch a.Kind {
	case "function", "connector", "gateway", "twin", strangerKind:
	default:
		return api.Invalid("kind %.40q must be function, connector, gateway, twin or service", a.Kind)
	}
	if a.Kind != strangerKind && a.Secret != "" {
		return api.Invalid("secret is for services only")
	}
	if !wordPattern.MatchString(a.Name) {
		return api.Invalid("name %.80q must be 1 to 64 letters, digits or any of \"._:/+-\"", a.Name)
	}
	for _, l := range []struct {
		field string
		words []string
	}{{"capabilities", a.Capabilities}, {"interfaces", a.Interfaces}} {
		if len(l.words) > 64 {
			return api.Invalid("%s: at most 64", l.field)
		}
		for _, w := range l.words {
			if !wordPattern.MatchString(w) {
				return api.Invalid("%s: %.80q must be 1 to 64 letters, digits or any of \"._:/+-\"", l.field, w)
			}
		}
	}
	if a.Region != "" && !wordPattern.MatchString(a.Region) {
		return api.Invalid("region %.80q must be 1 to 64 letters, digits or any of \"._:/+-\"", a.Region)
	}
	if a.Capabilities == nil {
		a.Capabilities = []string{}
	}
	if a.TTL == 0 {
		a.TTL = defaultTTL
	}
	if a.TTL < 1 || a.TTL > maxTTL {
		return api.Invalid("ttl %d must be 1 to %d seconds", a.TTL, maxTTL)
	}
	if a.Kind == strangerKind {
		if err := checkService(a); err != nil {
			return err
		}
	}
	return checkURL(a)
}

// checkURL wants functions below the user gateway, so that an advertisement cannot lead calls, and the tokens they carry,
// out of the platform.
func checkURL(a *api.Advertisement) error {
	if a.Kind == "function" {
		if a.URL == "" {
			a.URL = "/function/" + a.Name
		}
		if a.URL != "/function/"+a.Name {
			return api.Invalid("url %.80q must be /function/%s", a.URL, a.Name)
		}
		return nil
	}
	if a.URL == "" {
		return nil
	}
	u, err := url.Parse(a.URL)
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || len(a.URL) > 512 {
		return api.Invalid("url %.80q must be like tls://host:8883, without user and password", a.URL)
	}
	return nil
}
