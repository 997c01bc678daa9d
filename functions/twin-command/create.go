package twincommand

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// Bounds of the commands of one twin that are not over. Drivers get no more than half, and none for long, so that people always get
// theirs through.
const (
	maxOpen          = 32
	maxOpenDriver    = 16
	maxTimeoutDriver = time.Hour
)

var (
	namePattern = twin.CommandPattern
	byPattern   = regexp.MustCompile(`^driver:[A-Za-z0-9][A-Za-z0-9._-]{0,63}@[0-9A-Za-z.-]{1,64}$`)
	keyPattern  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

// create queues a command. Asking again with the same key yields the command there is.
func (f *function) create(ctx context.Context, c *faas.Call, in api.NewCommand) (faas.Reply, error) {
	if err := validate(&in); err != nil {
		return faas.Reply{}, err
	}
	t, by, err := f.asked(ctx, c.Caller, &in)
	if err != nil {
		return faas.Reply{}, err
	}
	if t.Kind != twin.Instance {
		return faas.Reply{}, api.Invalid("twin %s is %s, which has no device; commands go to instances", t.ID, article(t.Kind))
	}
	now := f.p.Time()
	n := command{Command: api.Command{ID: idOf(in), Twin: in.Twin, Name: in.Name, Input: in.Input, Key: in.Key, Timeout: in.Timeout, Repeatable: in.Repeatable,
		By: by, Created: now, Expires: now.Add(in.Timeout.D())}}
	if in.Key != "" {
		if old, err := f.commands.Get(ctx, n.ID); err == nil && old.Created.Before(t.Created) {
			_ = f.commands.Delete(ctx, old.ID) // of an earlier twin of this id
		} else if err == nil {
			return accepted(&old, &n)
		} else if !errors.Is(err, store.ErrNotFound) {
			return faas.Reply{}, err
		}
	}
	if p := t.Definition.Phase; p != twin.Operational {
		return faas.Reply{}, fmt.Errorf("%w: twin %s is %s; commands go to operational twins only", api.ErrConflict, t.ID, p)
	}
	if err := f.checkInput(ctx, &t, &in); err != nil {
		return faas.Reply{}, err
	}
	if err := f.room(ctx, &t, in.By != ""); err != nil {
		return faas.Reply{}, err
	}
	n.to(api.CommandQueued, now, "")
	if err := f.commands.Insert(ctx, n); errors.Is(err, store.ErrExists) { // asked twice at once
		old, err := f.commands.Get(ctx, n.ID)
		if err != nil {
			return faas.Reply{}, err
		}
		return accepted(&old, &n)
	} else if err != nil {
		return faas.Reply{}, err
	}
	f.settle(ctx, n)
	return accepted(&n, &n)
}

// asked is the twin that a caller may send a command to, and who the caller is. Function drivers asks for a driver that reacts, and may
// do so where the twin's type lets it.
func (f *function) asked(ctx context.Context, c access.Caller, in *api.NewCommand) (t twin.Twin, by string, err error) {
	if c.Kind != access.Part || c.For != nil {
		if in.By != "" {
			return t, "", api.Invalid("by is who asks, which the platform knows: leave it out")
		}
		t, err = f.p.Twin(ctx, f.twins, c, access.Write, in.Twin)
		return t, c.String(), err
	}
	if !byPattern.MatchString(in.By) || in.Key == "" {
		return t, "", api.Invalid("by %.80q must be a driver's name and version, like driver:acme-th1@1.2.0, and key must be given", in.By)
	}
	if in.Timeout.D() > maxTimeoutDriver {
		return t, "", api.Invalid("timeout %s of a driver's command must be 1s to %s", in.Timeout, twin.Duration(maxTimeoutDriver))
	}
	t, err = f.twins.Get(ctx, string(in.Twin))
	if errors.Is(err, store.ErrNotFound) || err == nil && !t.Deleted.IsZero() {
		return t, "", platform.NotFound("twin", string(in.Twin))
	}
	if err != nil || t.Kind != twin.Instance {
		return t, in.By, err
	}
	kind, err := f.twins.Get(ctx, string(t.Definition.Type))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return t, "", err
	}
	if m := kind.Definition.Model; err != nil || m == nil || !m.Reacts {
		return t, "", fmt.Errorf("%w: type %s does not let its driver react: say reacts: true in its model", api.ErrConflict, t.Definition.Type)
	}
	return t, in.By, nil
}

// accepted answers with the command there is, unless something else was asked for under its key.
func accepted(have, asked *command) (faas.Reply, error) {
	if have.Name != asked.Name || !bytes.Equal(have.Input, asked.Input) || have.Timeout != asked.Timeout || have.Repeatable != asked.Repeatable {
		return faas.Reply{}, fmt.Errorf("%w: key %q was used for another command of twin %s; choose a new key", api.ErrConflict, asked.Key, asked.Twin)
	}
	return faas.Reply{Status: http.StatusAccepted, Header: http.Header{"Location": {"/commands/" + have.ID}}, Value: have.Command}, nil
}

// room returns api.ErrTooMany if no more commands are taken for the twin. Callers that come at once may each find the last
// place free: the bound is against piling up, not exact.
func (f *function) room(ctx context.Context, t *twin.Twin, driver bool) error {
	most, whose := maxOpen, ""
	if driver {
		most, whose = maxOpenDriver, " where a driver asks"
	}
	if t.Commands.Open() < most {
		return nil
	}
	if err := f.tidy(ctx, t); err != nil { // perhaps a crash left some that are over
		return err
	}
	if n := t.Commands.Open(); n >= most {
		return fmt.Errorf("%w: %d commands of twin %s are not over, %d may be%s; cancel some, or wait until they are answered", api.ErrTooMany, n, t.ID, most, whose)
	}
	return nil
}

func validate(in *api.NewCommand) error {
	if err := in.Twin.Valid(); err != nil {
		return fmt.Errorf("twin: %w", err)
	}
	if !namePattern.MatchString(in.Name) {
		return api.Invalid("name %.80q must be 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter", in.Name)
	}
	if in.Key != "" && !keyPattern.MatchString(in.Key) {
		return api.Invalid("key %.80q must be 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit", in.Key)
	}
	if in.Timeout == 0 {
		in.Timeout = twin.Duration(time.Minute)
	}
	if d := in.Timeout.D(); d < minTimeout || d > maxTimeout {
		return api.Invalid("timeout %s must be 1s to 720h", in.Timeout)
	}
	if len(in.Input) > 0 {
		var b bytes.Buffer
		if err := json.Compact(&b, in.Input); err != nil || !utf8.Valid(in.Input) {
			return api.Invalid("input must be JSON in UTF-8")
		}
		if in.Input = b.Bytes(); b.Len() > telemetry.MaxInput {
			return api.Invalid("input has %d bytes, at most %d are taken", b.Len(), telemetry.MaxInput)
		}
		if nesting(in.Input) > maxNesting {
			return api.Invalid("input is nested deeper than %d levels", maxNesting)
		}
	}
	return nil
}

// maxNesting is how deep an input may be nested: devices are small.
const maxNesting = 64

// nesting is how deep valid JSON is nested.
func nesting(b []byte) (deepest int) {
	depth, text := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case !text && (c == '{' || c == '['):
			depth++
			deepest = max(deepest, depth)
		case !text && (c == '}' || c == ']'):
			depth--
		}
	}
	return deepest
}

// idOf is a new id, or the one that the key stands for.
func idOf(in api.NewCommand) string {
	if in.Key == "" {
		return platform.NewID("cmd")
	}
	return api.CommandID(in.Twin, in.Key)
}

func article(k twin.Kind) string {
	if k == twin.Aggregate {
		return "an aggregate"
	}
	return "a " + string(k)
}
